// Before anything is drawn: who is logged in goes on from the service's address to the studio.
if (localStorage.getItem("auth_token")) {
  window.stop(); // nothing else of this page shall run, and renew the log-in that the studio is about to renew
  location.replace("/app");
}

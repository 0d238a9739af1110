// After a log-in on the identity provider's page: the browser has the refresh cookie of it, and no script has a token yet.
(() => {
  "use strict";

  async function enter() {
    const answer = await fetch("/api/v1/auth/refresh", { method: "POST", credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.statusText);
    window.invokeaiSaas.logIn((await answer.json()).token);
    location.replace("/app");
  }

  enter().catch(() => location.replace("/login?problem=log_in_stale"));
})();

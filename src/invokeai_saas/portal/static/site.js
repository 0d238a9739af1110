// The frame of our pages: what is offered to strangers, and what to those who are logged in.
(() => {
  "use strict";

  const member = Boolean(window.invokeaiSaas.token());
  for (const part of document.querySelectorAll(".strangers")) part.hidden = member;
  for (const part of document.querySelectorAll(".members")) part.hidden = !member;
})();

// The pages that mails lead to: a forgotten password, a new one, an address to confirm.
//
// What is secret in a link stands behind its #, which browsers send to no server, and goes out in a request's body.
// Where the mails carry codes instead, people type theirs, with the address that it was sent to.
(() => {
  "use strict";

  const { passwordRules, clearErrors, showError } = window.invokeaiForms;
  const card = document.querySelector("[data-page]");
  const says = JSON.parse(card.dataset.messages);
  const form = card.querySelector("form");
  const codes = "codes" in card.dataset;
  const secret = location.hash.slice(1);
  const byId = (id) => document.getElementById(id);

  // Sends JSON; answers null for a good answer, else its code.
  async function send(path, body) {
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (answer.ok) return null;
      return (await answer.json()).code;
    } catch {
      return "unavailable";
    }
  }

  const message = (code) => says[code] ?? says.unavailable;

  // The end of the matter, in the place of the form. The eye and the screen reader are led to it.
  function finish(text, link, label, more = "") {
    for (const part of [form, byId("busy")]) if (part) part.hidden = true;
    byId("outcome-text").textContent = text;
    byId("outcome-more").textContent = more;
    byId("outcome-more").hidden = !more;
    byId("outcome-link").href = link;
    byId("outcome-link").textContent = label;
    card.querySelector(".after").hidden = link === "/login"; // once is enough
    byId("outcome").hidden = false;
    byId("outcome").focus();
  }

  function forget() {
    history.replaceState(null, "", location.pathname + location.search); // a used secret has no place in the history
  }

  // Runs what a form is for, with its button out of reach meanwhile.
  function onSubmit(action) {
    const button = form.querySelector("button");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clearErrors(form);
      button.disabled = true;
      await action();
      button.disabled = false;
    });
    button.disabled = false; // before, the browser would have sent the form itself
  }

  // What proves that a mail was read; null when a field is empty, which is said.
  function proof() {
    if (!codes) return { token: secret };
    const email = form.elements.email.value.trim();
    const token = form.elements.code.value.trim();
    if (!email) showError(form, "email", says.email_missing);
    else if (!token) showError(form, "code", says.code_missing);
    else return { token, email };
    return null;
  }

  function forgot() {
    const { email } = form.elements;
    onSubmit(async () => {
      if (!email.value.trim()) return showError(form, "email", says.email_missing);
      const code = await send("/api/v1/auth/forgot-password", { email: email.value.trim() });
      if (code) return showError(form, null, message(code));
      if (codes) return finish(says.code_sent, "/reset-password" + location.search, says.code_enter);
      finish(says.forgot_done, "/login", says.sign_in);
    });
  }

  function reset() {
    const invalid = () => finish(says.link_invalid, "/forgot-password" + location.search, says.ask_again);
    if (!secret && !codes) return invalid();
    const { password } = form.elements;
    const meetsRules = passwordRules(form, password);
    onSubmit(async () => {
      const read = proof();
      if (!read) return;
      if (!meetsRules()) return showError(form, "password", says.password_weak);
      const code = await send("/api/v1/auth/reset-password", { ...read, new_password: password.value });
      if (code === "link_invalid") return codes ? showError(form, "code", says.code_invalid) : invalid();
      if (code === "invalid_input") return showError(form, "password", says.password_weak);
      if (code) return showError(form, null, message(code));
      window.invokeaiSaas.forget(); // this browser's log-in has ended with the others
      forget();
      finish(says.reset_done, "/login", says.sign_in);
    });
  }

  function verifyByCode() {
    onSubmit(async () => {
      const read = proof();
      if (!read) return;
      const code = await send("/api/v1/auth/verify-email", read);
      if (code === "link_invalid" || code === "invalid_input") return showError(form, "code", says.code_invalid);
      if (code) return showError(form, null, message(code));
      finish(says.verify_done, "/", says.open_studio);
    });
  }

  async function verify() {
    if (codes) return verifyByCode();
    const code = secret ? await send("/api/v1/auth/verify-email", { token: secret }) : "link_invalid";
    if (!code) {
      forget();
      return finish(says.verify_done, "/", says.open_studio);
    }
    const used = code === "link_invalid" || code === "invalid_input";
    finish(used ? says.link_invalid : message(code), "/account", says.open_account, used ? says.verify_again : "");
  }

  // The other language's page needs the secret as well.
  for (const link of card.querySelectorAll("a[hreflang]")) link.hash = location.hash;
  window.addEventListener("hashchange", () => location.reload()); // another mail's link, opened in this tab
  ({ forgot, reset, verify })[card.dataset.page]();
})();

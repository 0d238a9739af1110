// The sign-up form. Who came from the prices goes on to pay for the plan that they chose there.
(() => {
  "use strict";

  const saas = window.invokeaiSaas;
  const { passwordRules, clearErrors, showError } = window.invokeaiForms;
  const form = document.querySelector("form");
  const says = JSON.parse(form.dataset.messages);
  const language = document.documentElement.lang;
  const button = form.querySelector("button");
  const password = form.elements.password;
  const meetsRules = passwordRules(form, password);
  const json = { "content-type": "application/json" };

  // The service's own sentences are English.
  const inWords = (sentence, text) => (language === "en" && sentence) || text;

  function showRefusal(body) {
    const detail = body?.detail;
    if (Array.isArray(detail)) {
      for (const { loc, msg } of detail) {
        const field = loc.at(-1);
        const text = field === "password" ? says.password_weak : says.email_wrong;
        showError(form, field, inWords(msg.replace(/^Value error, /, ""), text));
      }
    } else {
      const field = body?.code === "email_taken" ? "email" : null;
      showError(form, field, inWords(detail, says[body?.code] ?? says.unavailable));
    }
  }

  // Where to go now: to the till, if a plan was chosen; should that not open, the account page has it as well.
  // The account page also says why there is no trial, where there is none.
  async function following({ trial }) {
    const { plan, interval, next } = form.dataset;
    if (!plan) return trial === "none" ? "/account" : next;
    try {
      const wish = { method: "POST", headers: json, body: JSON.stringify({ plan, interval }) };
      return (await saas.api("/api/v1/billing/subscribe", wish)).url;
    } catch {
      return `/account?${new URLSearchParams({ plan, interval })}`;
    }
  }

  async function send(event) {
    event.preventDefault();
    clearErrors(form);
    const { email, display_name: name } = form.elements;
    if (!email.value.trim()) return showError(form, "email", says.email_missing);
    if (!meetsRules()) return showError(form, "password", says.password_weak);
    button.disabled = true;
    try {
      const answer = await fetch("/api/v1/auth/sign-up", {
        method: "POST",
        headers: json,
        body: JSON.stringify({
          email: email.value.trim(),
          password: password.value,
          display_name: name.value.trim() || null,
          language,
        }),
      });
      const body = await answer.json();
      if (!answer.ok) return showRefusal(body);
      saas.logIn(body.token);
      location.assign(await following(body));
    } catch {
      showRefusal(null);
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener("submit", send);
  button.disabled = false; // before, the browser would have sent the form itself
  document.getElementById("logged-in").hidden = !saas.token();
})();

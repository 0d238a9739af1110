// The sign-up form: shows the password's rules as they are met, and each error beside its field.
(() => {
  "use strict";

  const saas = window.invokeaiSaas;
  const form = document.querySelector("form");
  const button = form.querySelector("button");
  const password = form.elements.password;
  const RULES = {
    length: (text) => text.length >= Number(form.dataset.shortest),
    upper: (text) => /\p{Lu}/u.test(text),
    lower: (text) => /\p{Ll}/u.test(text),
    digit: (text) => /\p{Nd}/u.test(text),
  };

  function showRules() {
    for (const [name, met] of Object.entries(RULES)) {
      form.querySelector(`[data-rule="${name}"]`).classList.toggle("met", met(password.value));
    }
  }

  function clearErrors() {
    for (const line of form.querySelectorAll(".error")) line.hidden = true;
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  }

  // Beside the field it names; at the form's foot where it names none of ours.
  function showError(field, text) {
    const input = form.elements[field];
    const line = document.getElementById(input ? `${field}-error` : "form-error");
    line.textContent = text;
    line.hidden = false;
    if (!input) return;
    input.setAttribute("aria-invalid", "true");
    if (!form.querySelector("[aria-invalid]:focus")) input.focus();
  }

  function showRefusal(body) {
    const detail = body?.detail ?? "The service cannot be reached right now. Please try again.";
    if (Array.isArray(detail)) {
      for (const { loc, msg } of detail) showError(loc.at(-1), msg.replace(/^Value error, /, ""));
    } else {
      showError(body?.code === "email_taken" ? "email" : null, detail);
    }
  }

  async function send(event) {
    event.preventDefault();
    clearErrors();
    const { email, display_name: name } = form.elements;
    if (!email.value.trim()) return showError("email", "Enter your e-mail address.");
    if (!Object.values(RULES).every((met) => met(password.value))) {
      return showError("password", "Choose a password that meets all four rules.");
    }
    button.disabled = true;
    try {
      const answer = await fetch("/api/v1/auth/sign-up", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          email: email.value.trim(),
          password: password.value,
          display_name: name.value.trim() || null,
        }),
      });
      const body = await answer.json();
      if (!answer.ok) return showRefusal(body);
      saas.logIn(body.token);
      location.assign("/");
    } catch {
      showRefusal(null);
    } finally {
      button.disabled = false;
    }
  }

  password.addEventListener("input", showRules);
  form.addEventListener("submit", send);
  document.getElementById("logged-in").hidden = !saas.token();
  showRules();
})();

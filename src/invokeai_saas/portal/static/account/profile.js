// Address, language and password.

import { act, byId, has, language, leave, logOut, says, send, tell, why } from "./common.js";

const { passwordRules, clearErrors, showError } = window.invokeaiForms;

export function showPerson({ display_name: name, email }) {
  byId("person").textContent = name ? `${name} · ${email}` : email;
}

export function showContact({ email, email_verified: verified, trial_waits: waits }) {
  byId("unconfirmed").hidden = verified;
  const trial = waits ? ` ${says("mail_trial_waits")}` : "";
  byId("unconfirmed-text").textContent = says("mail_unconfirmed", { email }) + trial;
}

// The page in another language; what else its address says stays.
export function goTo(chosen) {
  const address = new URL(location.href);
  address.searchParams.set("lang", chosen);
  location.replace(address);
}

async function setLanguage(chosen) {
  await send("PUT", "/api/v1/account/language", { language: chosen });
  goTo(chosen);
}

function showRefusal(form, error) {
  const field = error?.body?.detail?.[0]?.loc?.at(-1);
  const texts = { current_password: "password_wrong", new_password: "error_invalid_input" };
  const text = language !== "en" && field in texts && has(texts[field]) ? says(texts[field]) : why(error);
  showError(form, field in texts ? field : null, text);
}

function startPassword() {
  const form = byId("password-form");
  const { current_password: current, new_password: next } = form.elements;
  const meetsRules = passwordRules(form, next);
  const pressed = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    tell(byId("password-outcome"), "");
    if (!meetsRules()) return showError(form, "new_password", says("password_weak"));
    pressed.disabled = true;
    try {
      await send("PATCH", "/api/v1/auth/me", { current_password: current.value, new_password: next.value });
      form.reset();
      next.dispatchEvent(new Event("input")); // the rules are unmet again
      tell(byId("password-outcome"), says("password_changed"));
    } catch (error) {
      if (error?.status === 401) return leave();
      showRefusal(form, error);
    } finally {
      pressed.disabled = false;
    }
  });
}

export function startProfile() {
  const outcome = byId("mail-outcome");
  byId("send-link").addEventListener("click", ({ currentTarget }) =>
    act(currentTarget, outcome, async () => {
      await send("POST", "/api/v1/account/verification");
      tell(outcome, says("mail_sent"));
    }),
  );
  byId("language").addEventListener("change", ({ currentTarget }) =>
    act(currentTarget, outcome, () => setLanguage(currentTarget.value)),
  );
  for (const link of document.querySelectorAll("a[hreflang]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      setLanguage(link.hreflang).catch(() => goTo(link.hreflang));
    });
  }
  byId("log-out").addEventListener("click", logOut);
  startPassword();
}

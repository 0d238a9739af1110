// What our forms share: a password's rules, shown as they are met, and each error beside its field.
(() => {
  "use strict";

  const RULES = {
    length: (text, shortest) => text.length >= shortest,
    upper: (text) => /\p{Lu}/u.test(text),
    lower: (text) => /\p{Ll}/u.test(text),
    digit: (text) => /\p{Nd}/u.test(text),
  };

  // Follows a field of a form with `data-shortest`; answers whether what stands in it meets all rules.
  function passwordRules(form, input) {
    const meets = (name) => RULES[name](input.value, Number(form.dataset.shortest));
    function show() {
      for (const name of Object.keys(RULES)) {
        form.querySelector(`[data-rule="${name}"]`).classList.toggle("met", meets(name));
      }
    }
    input.addEventListener("input", show);
    show();
    return () => Object.keys(RULES).every(meets);
  }

  function clearErrors(form) {
    for (const line of form.querySelectorAll(".error")) line.hidden = true;
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  }

  // Beside the field it names; at the form's foot where it names none of ours.
  function showError(form, field, text) {
    const input = form.elements[field];
    const line = document.getElementById(input ? `${field}-error` : "form-error");
    line.textContent = text;
    line.hidden = false;
    if (!input) return;
    input.setAttribute("aria-invalid", "true");
    if (!form.querySelector("[aria-invalid]:focus")) input.focus();
  }

  window.invokeaiForms = { passwordRules, clearErrors, showError };
})();

// A question before something is done that cannot be seen coming.

import { byId, leave, tell, why } from "./common.js";

const dialog = byId("ask");
const field = byId("ask-field");
const input = byId("ask-input");
const error = byId("ask-error");
const yes = byId("ask-yes");

let work = null; // of the question that is open

async function confirm() {
  tell(error, "");
  input.removeAttribute("aria-invalid");
  yes.disabled = true;
  try {
    await work(input.value);
    dialog.close();
  } catch (problem) {
    if (problem?.status === 401) return leave();
    if (!field.hidden) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
    tell(error, problem instanceof Refusal ? problem.message : why(problem), true);
  } finally {
    yes.disabled = false;
  }
}

// What is wrong with an answer, in words for its reader.
export class Refusal extends Error {}

// Asks, and does the work when the answer is yes. `danger` colours the button; `password` is the label of a field for
// one, which the work is given. The dialog stays open with the reason while the work is refused.
export function ask({ title, text, confirm: label, danger = false, password = null }, doing) {
  work = doing;
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  yes.textContent = label;
  yes.classList.toggle("danger", danger);
  field.hidden = password === null;
  field.querySelector("label").textContent = password ?? "";
  input.value = "";
  input.removeAttribute("aria-invalid");
  tell(error, "");
  dialog.showModal();
  (password === null ? byId("ask-no") : input).focus();
}

yes.addEventListener("click", confirm);
byId("ask-no").addEventListener("click", () => dialog.close());
input.addEventListener("keydown", (event) => event.key === "Enter" && confirm());

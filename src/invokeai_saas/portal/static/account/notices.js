// What stands above everything: payments that failed, trials that end, what was just bought.

import { button, byId, day, element, says } from "./common.js";

const DAY = 86_400_000; // ms

let said = null; // about a payment, until the page is left

function notice(text, kind, action = null) {
  return element("div", { className: `notice ${kind}` }, element("p", { textContent: text }), action);
}

// About what was just paid for.
export function sayOfPayment(text) {
  said = text;
  byId("notices").querySelector(".payment")?.remove();
  if (said) byId("notices").prepend(notice(said, "good payment"));
}

export function showNotices(summary, waits, { choose, changeCard }) {
  const { plan, had_plan: had, status, period_end: end, delete_after: deleted } = summary;
  const lines = [];
  const choosing = () => button(says("notice_choose"), choose, "main");
  if (said) lines.push(notice(said, "good payment"));
  if (status === "past_due") {
    const card = button(says("notice_change_card"), changeCard, "main");
    lines.push(notice(says("notice_unpaid", { day: day(end) }), "bad", card));
  } else if (status === "trialing" && new Date(end) - Date.now() < 3 * DAY) {
    lines.push(notice(says("notice_trial", { day: day(end) }), "", choosing()));
  } else if (!plan && waits) {
    lines.push(notice(says("notice_trial_waits"), ""));
  } else if (!plan && had === false) {
    lines.push(notice(says("notice_no_trial"), "", choosing()));
  } else if (!plan && deleted) {
    lines.push(notice(says("notice_kept_until", { day: day(deleted) }), "bad", choosing()));
  } else if (!plan) {
    lines.push(notice(says("notice_plan_ended"), "bad", choosing()));
  }
  byId("notices").replaceChildren(...lines);
}

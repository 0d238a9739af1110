// The ledger, newest first, a page at a time.

import { addRow, byId, get, has, moment, number, says } from "./common.js";

const JOB = /^([\d.]+) GPU seconds of (.+) \((completed|failed|canceled)\)$/;
const TAKEN_BACK = /^Taken back with the payment: (.+)$/;
const RETURNED = /^Returned with the payment: (.+)$/;
const FIXED = { "Trial credits": "why_trial", "Unused credits expired": "why_expired" };

let next = null; // names the page that follows
let turn = 0; // counts what was asked for

// The ledger keeps its reasons in English; those that it makes itself are said in the reader's language.
function reason(description) {
  const job = JOB.exec(description);
  if (job) {
    const model = job[2] === "a graph" ? says("why_graph") : job[2];
    return says("why_job", { seconds: number(Number(job[1])), model, outcome: says(`why_${job[3]}`) });
  }
  const back = TAKEN_BACK.exec(description);
  if (back) return says("why_refund", { what: back[1] });
  const returned = RETURNED.exec(description);
  if (returned) return says("why_returned", { what: returned[1] });
  return description in FIXED ? says(FIXED[description]) : description;
}

// Parameters: before: names the page; null for the newest, which takes the place of what is shown.
async function addPage(before) {
  const asked = (turn += 1);
  const query = before ? `?limit=20&before=${encodeURIComponent(before)}` : "?limit=20";
  const page = await get(`/api/v1/credits/history${query}`);
  if (asked !== turn) return; // what was asked for later is what is shown
  if (!before) byId("history-rows").replaceChildren();
  for (const { created_at: when, type, description, amount } of page.items) {
    const sign = amount > 0 ? "+" : "−";
    addRow(byId("history-rows"), [
      [moment(when)],
      [has(`kind_${type}`) ? says(`kind_${type}`) : type],
      [reason(description)],
      [`${sign}${number(Math.abs(amount))}`, amount > 0 ? "number gain" : "number"],
    ]);
  }
  next = page.next;
  byId("older").hidden = next === null;
}

export async function showHistory() {
  byId("older").disabled = true; // it would add to what is being replaced
  try {
    await addPage(null);
  } finally {
    byId("older").disabled = false;
  }
}

export function startHistory(showFailure) {
  byId("older").addEventListener("click", () => addPage(next).catch(showFailure));
}

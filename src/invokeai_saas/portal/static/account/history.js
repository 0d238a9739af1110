// The ledger, newest first, a page at a time.

import { addRow, byId, get, has, moment, number, says } from "./common.js";

const JOB = /^([\d.]+) GPU seconds of (.+) \((completed|failed|canceled)\)$/;
const TAKEN_BACK = /^Taken back with the payment: (.+)$/;
const FIXED = { "Trial credits": "why_trial", "Unused credits expired": "why_expired" };

let next = null; // names the page that follows

// The ledger keeps its reasons in English; those that it makes itself are said in the reader's language.
function reason(description) {
  const job = JOB.exec(description);
  if (job) {
    const model = job[2] === "a graph" ? says("why_graph") : job[2];
    return says("why_job", { seconds: number(Number(job[1])), model, outcome: says(`why_${job[3]}`) });
  }
  const back = TAKEN_BACK.exec(description);
  if (back) return says("why_refund", { what: back[1] });
  return description in FIXED ? says(FIXED[description]) : description;
}

async function addPage() {
  const query = next ? `?limit=20&before=${encodeURIComponent(next)}` : "?limit=20";
  const page = await get(`/api/v1/credits/history${query}`);
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
  next = null;
  byId("history-rows").replaceChildren();
  await addPage();
}

export function startHistory(showFailure) {
  byId("older").addEventListener("click", () => addPage().catch(showFailure));
}

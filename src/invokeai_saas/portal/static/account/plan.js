// The plan: what it is, and what can be done about it.

import { ask } from "./ask.js";
import {
  act,
  addTerm,
  bytes,
  button,
  byId,
  day,
  get,
  modelNames,
  money,
  number,
  says,
  send,
  tell,
  tierName,
} from "./common.js";

const GIB = 2 ** 30;

// The plan's name where it is known by its slug alone, as one that is to come.
const nameOf = (slug, plans) => plans.find((plan) => plan.slug === slug)?.name ?? slug;

// A plan without an interval was not sold but given, or agreed on: it ends.
function untilWhat({ status, cancel_at_period_end: ending, billing_interval: interval }) {
  if (status === "trialing") return "plan_trial_ends";
  if (status === "past_due") return "plan_unpaid_until";
  return ending || !interval ? "plan_ends" : "plan_renews";
}

function showTerms(summary, plans) {
  const { plan, period_end: end, billing_interval: interval, next_plan: next } = summary;
  const list = byId("plan-terms");
  list.replaceChildren();
  if (!plan) return;
  const price = interval === "year" ? plan.annual_price : plan.monthly_price;
  if (interval && price !== null) addTerm(list, says(`plan_price_${interval}`), money(price));
  addTerm(list, says(untilWhat(summary)), day(end));
  if (next) addTerm(list, says("plan_next"), nameOf(next, plans));
  addTerm(list, says("plan_gpu"), tierName(plan.gpu_tier));
  const limit = (value, unit = "") => (value === null ? says("no_limit") : number(value) + unit);
  addTerm(list, says("plan_lanes"), limit(plan.max_queues));
  addTerm(list, says("plan_storage"), limit(plan.max_storage_gb, " GB"));
  addTerm(list, says("plan_models"), modelNames(plan.model_access));
}

function openPortal(pressed) {
  return act(pressed, byId("plan-outcome"), async () => {
    location.assign((await send("POST", "/api/v1/billing/portal")).url);
  });
}

function cancel({ plan, period_end: end }, changed) {
  const words = {
    title: says("cancel_title", { plan: plan.name }),
    text: says("cancel_text", { day: day(end) }),
    confirm: says("cancel_confirm"),
    danger: true,
  };
  ask(words, async () => {
    const state = await send("POST", "/api/v1/billing/cancel");
    tell(byId("plan-outcome"), says("cancel_done", { day: day(state.period_end) }));
    changed(state);
  });
}

function keep(pressed, changed) {
  return act(pressed, byId("plan-outcome"), async () => {
    const state = await send("POST", "/api/v1/billing/reactivate");
    tell(byId("plan-outcome"), says("keep_done"));
    changed(state);
  });
}

function showActions(summary, { choose, changed }) {
  const { plan, billing_interval: paid, cancel_at_period_end: ending, next_plan: next } = summary;
  const actions = [button(says(paid ? "change_plan" : "choose_plan"), choose, "main")];
  if (paid && (ending || next)) {
    actions.push(button(says("keep_plan", { plan: plan.name }), (pressed) => keep(pressed, changed)));
  }
  if (paid) actions.push(button(says("payment_method"), openPortal));
  if (paid && !ending) actions.push(button(says("cancel_plan"), () => cancel(summary, changed)));
  const held = byId("plan-actions").contains(document.activeElement);
  byId("plan-actions").replaceChildren(...actions);
  if (held) actions[0].focus();
}

export function showPlan(summary, plans, doing) {
  byId("plan-name").textContent = summary.plan?.name ?? says("no_plan");
  showTerms(summary, plans);
  showActions(summary, doing);
}

export function changeCard(pressed) {
  return openPortal(pressed);
}

// How full the storage is. Nothing is shown where that is not served.
export async function showStorage() {
  const { used, limit } = await get("/api/v1/account/storage");
  const words = { used: bytes(used), limit: limit && `${number(limit / GIB)} GB` };
  byId("storage-text").textContent = says(limit ? "storage_used" : "storage_used_any", words);
  byId("storage-meter").hidden = !limit;
  byId("storage-meter").value = limit ? Math.min(1, used / limit) : 0;
  byId("storage").hidden = false;
}

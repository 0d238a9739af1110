// The dialog in which a plan is chosen, and what choosing it costs before it does.

import { ask } from "./ask.js";
import { act, button, byId, counted, day, element, money, number, says, send, tell } from "./common.js";

const dialog = byId("chooser");
const radios = [...dialog.querySelectorAll("input[name=interval]")];

let offered = []; // plans that are sold
let present = null; // the summary
let changed = null; // is told of a subscription that is another now

const interval = () => radios.find((radio) => radio.checked).value;

function lines(plan) {
  const { monthly_credits: credits, max_queues: lanes, max_storage_gb: size } = plan;
  return [
    credits === null ? null : says("chooser_credits", { credits: number(credits) }),
    lanes === null ? says("chooser_lanes_any") : counted("chooser_lanes", lanes),
    size === null ? says("chooser_storage_any") : says("chooser_storage", { size: number(size) }),
  ].filter(Boolean);
}

function choice(plan) {
  const by = interval();
  const price = by === "year" ? plan.annual_price : plan.monthly_price;
  if (price === null) return null;
  const own = present.plan?.slug === plan.slug && present.billing_interval === by;
  const words = element(
    "div",
    {},
    element("h3", { textContent: plan.name }),
    element("p", {}, element("strong", { textContent: says(`chooser_${by}_price`, { price: money(price) }) })),
    element("p", { className: "muted small", textContent: lines(plan).join(" · ") }),
  );
  const take = own
    ? element("span", { className: "yours", textContent: says("chooser_yours") })
    : button(says("chooser_take", { plan: plan.name }), (pressed) => choose(pressed, plan, by), "main");
  return element("li", {}, words, take);
}

function draw() {
  byId("choices").replaceChildren(...offered.map(choice).filter(Boolean));
}

function choose(pressed, plan, by) {
  const wish = { plan: plan.slug, interval: by };
  return act(pressed, byId("chooser-error"), async () => {
    if (!present.billing_interval) {
      location.assign((await send("POST", "/api/v1/billing/subscribe", wish)).url);
      return;
    }
    const preview = await send("POST", "/api/v1/billing/change/preview", wish);
    dialog.close();
    confirm(plan, wish, preview);
  });
}

function confirm(plan, wish, { when, due_now: due, currency, effective }) {
  const name = plan.name;
  const now = when === "now";
  const words = now ? { plan: name, amount: money(due, currency) } : { plan: name, day: day(effective) };
  const question = {
    title: says("change_title", words),
    text: says(now ? "change_now" : "change_later", words),
    confirm: says(now ? "change_confirm_now" : "change_confirm_later", words),
  };
  ask(question, async () => {
    const state = await send("POST", "/api/v1/billing/change", wish);
    const later = { plan: name, day: day(state.period_end) };
    tell(byId("plan-outcome"), now ? says("change_done_now", words) : says("change_done_later", later));
    changed(state);
  });
}

// Opens the dialog. `by` is how the plan is paid, where that was chosen before.
export function openChooser(by = null) {
  const wanted = by ?? present.billing_interval ?? "month";
  for (const radio of radios) radio.checked = radio.value === wanted;
  tell(byId("chooser-error"), "");
  draw();
  dialog.showModal();
}

// Goes on with a plan that was chosen among the prices.
export function goOnWith(slug, by) {
  const plan = offered.find((one) => one.slug === slug);
  openChooser(by === "year" ? "year" : "month");
  const label = plan && says("chooser_take", { plan: plan.name });
  [...byId("choices").querySelectorAll("button")].find((made) => made.textContent === label)?.focus();
}

// Which plans there are, and which is the reader's.
export function setChoices(plans, summary, tellChanged) {
  offered = plans.filter((plan) => plan.plan_type === "paid" && plan.monthly_price !== null);
  present = summary;
  changed = tellChanged;
}

for (const radio of radios) radio.addEventListener("change", draw);
byId("chooser-close").addEventListener("click", () => dialog.close());

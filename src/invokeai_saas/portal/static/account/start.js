// The account page: what the answers to a handful of questions say, each in its section.

import { goOnWith, openChooser, setChoices } from "./chooser.js";
import { byId, get, language, leave, saas, says, tell, why } from "./common.js";
import { balanceBefore, showCredits, showPacks } from "./credits.js";
import { startData } from "./data.js";
import { showHistory, startHistory } from "./history.js";
import { showInvoices } from "./invoices.js";
import { startKeys } from "./keys.js";
import { startModels } from "./models.js";
import { sayOfPayment, showNotices } from "./notices.js";
import { changeCard, showPlan, showStorage } from "./plan.js";
import { goTo, showContact, showPerson, startProfile } from "./profile.js";
import { showUsage, startUsage } from "./usage.js";

const LOOKS = 20; // for what a payment brings, which comes by way of Stripe
const PAUSE = 1_500; // ms between them

const asked = new URLSearchParams(location.search);
const doing = { choose: () => openChooser(), changeCard, changed };

let plans = [];
let shown = null; // the summary that the page shows, as text
let waits = false; // whether the trial waits for a confirmed address

function showFailure(error) {
  if (error?.status === 401) return leave();
  tell(byId("failure"), why(error), true);
}

// The page is left as it is while nothing is new: what is drawn anew is read aloud again.
function show(summary) {
  const told = JSON.stringify(summary);
  if (told === shown) return;
  shown = told;
  showNotices(summary, waits, doing);
  showCredits(summary);
  setChoices(plans, summary, changed);
  showPlan(summary, plans, doing);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE));

// Looks until the summary is as it should be; answers whether it came to that.
async function lookUntil(right) {
  for (let look = 0; look < LOOKS; look += 1) {
    const summary = await get("/api/v1/account/summary");
    show(summary);
    if (right(summary)) {
      await Promise.all([showHistory(), showInvoices()]);
      return true;
    }
    await pause();
  }
  return false;
}

// Our records follow what Stripe has said in a moment.
function changed({ plan, cancel_at_period_end: ending, next_plan: next }) {
  const right = (summary) =>
    summary.plan?.slug === plan && summary.cancel_at_period_end === ending && summary.next_plan === next;
  lookUntil(right).catch(showFailure);
}

// Back from Stripe's page: what was paid for is on its way.
async function awaitPayment() {
  const plan = asked.get("bought") === "plan";
  forget("bought");
  sayOfPayment(says("notice_paying"));
  const before = balanceBefore();
  const right = ({ billing_interval: paid, plan: now, balance, expires }) => {
    // The plan and its credits come by webhooks of their own; not every plan has credits.
    if (plan) return paid !== null && (!now?.monthly_credits || expires.some((one) => one.source === "subscription"));
    return before === null ? expires.some((grant) => grant.source === "pack") : balance > before;
  };
  const came = await lookUntil(right);
  const { plan: now } = await get("/api/v1/account/summary");
  const text = plan ? says("notice_plan_bought", { plan: now?.name ?? "" }) : says("notice_pack_bought");
  sayOfPayment(came ? text : says("notice_payment_late"));
}

// Takes something out of the address, so that loading the page again does not do it again.
function forget(...names) {
  const address = new URL(location.href);
  for (const name of names) address.searchParams.delete(name);
  history.replaceState(null, "", address);
}

// The section and the link to it appear when there is something in it.
async function offer(section, start) {
  if (await start()) document.querySelector(`.jump a[href="#${section}"]`).hidden = false;
}

async function start() {
  if (!saas.token()) return leave();
  const [person, contact, summary, offered] = await Promise.all(
    ["auth/me", "account/contact", "account/summary", "plans"].map((path) => get(`/api/v1/${path}`)),
  );
  if (contact.language !== language) return goTo(contact.language);
  forget("lang"); // it is remembered
  [plans, waits] = [offered, contact.trial_waits];
  showPerson(person);
  showContact(contact);
  show(summary);
  byId("loading").hidden = true;
  byId("account").hidden = false;
  const later = [showHistory(), showUsage(), showInvoices(), showPacks(), showStorage()];
  later.push(offer("models", startModels), offer("keys", () => startKeys(summary.plan)), offer("data", startData));
  if (asked.has("bought")) later.push(awaitPayment());
  if (asked.has("plan")) {
    goOnWith(asked.get("plan"), asked.get("interval"));
    forget("plan", "interval");
  }
  for (const outcome of await Promise.allSettled(later)) {
    if (outcome.status === "rejected") showFailure(outcome.reason);
  }
  if (location.hash) byId(location.hash.slice(1))?.scrollIntoView(); // the sections were not there before
}

startHistory(showFailure);
startUsage(showFailure);
startProfile();
start().catch(showFailure);

// Credits: what there is, until when, and packs of more.

import { act, addTerm, button, byId, counted, day, element, get, money, number, says, send } from "./common.js";

const BEFORE = "invokeai_saas_balance"; // where this tab keeps what there was before a pack was bought

let known = null; // the balance that is shown

export function showCredits({ available, reserved, balance, expires }) {
  known = balance;
  byId("available").textContent = number(available);
  const list = byId("credit-terms");
  list.replaceChildren();
  addTerm(list, says("credits_reserved"), number(reserved));
  addTerm(list, says("credits_balance"), number(balance));
  for (const { source, amount, valid_until: until } of expires) {
    addTerm(list, says("credits_until", { source: says(`source_${source}`), day: day(until) }), number(amount));
  }
}

function offer({ slug, credits, price, valid_days: days }) {
  const name = counted("count_credits", credits);
  const buy = button(says("buy"), (pressed) =>
    act(pressed, byId("packs-outcome"), async () => {
      const { url } = await send("POST", "/api/v1/billing/packs", { pack: slug });
      sessionStorage.setItem(BEFORE, known);
      location.assign(url);
    }),
  );
  buy.setAttribute("aria-label", says("buy_pack", { pack: name }));
  const terms = says("pack_line", { price: money(price), days: number(days) });
  const words = element(
    "div",
    {},
    element("strong", { textContent: name }),
    element("p", { className: "muted small", textContent: terms }),
  );
  return element("li", {}, words, buy);
}

// What there was before a pack was bought on this page; null where it was bought elsewhere.
export function balanceBefore() {
  const kept = sessionStorage.getItem(BEFORE);
  sessionStorage.removeItem(BEFORE);
  return kept === null ? null : Number(kept);
}

export async function showPacks() {
  const packs = await get("/api/v1/packs");
  byId("packs").hidden = packs.length === 0;
  byId("pack-list").replaceChildren(...packs.map(offer));
}

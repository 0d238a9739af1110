// Invoices, with Stripe's page of each, which has it as a PDF too.

import { addRow, byId, day, element, get, has, money, says } from "./common.js";

function link({ hosted_url: address, number }) {
  if (!address) return "";
  const made = element("a", { href: address, target: "_blank", rel: "noopener", textContent: says("invoice_open_link") });
  if (number) made.setAttribute("aria-label", says("invoice_open_named", { number }));
  return made;
}

let turn = 0; // counts what was asked for

export async function showInvoices() {
  const asked = (turn += 1);
  const invoices = await get("/api/v1/billing/invoices");
  if (asked !== turn) return; // what was asked for later is what is shown
  byId("invoices-none").hidden = invoices.length > 0;
  byId("invoices-table").hidden = invoices.length === 0;
  byId("invoice-rows").replaceChildren();
  for (const invoice of invoices) {
    const { number, created_at: when, description, amount, currency, status } = invoice;
    addRow(byId("invoice-rows"), [
      [number ?? "–"],
      [day(when)],
      [description],
      [money(amount, currency), "number"],
      [has(`invoice_${status}`) ? says(`invoice_${status}`) : status],
      [link(invoice)],
    ]);
  }
}

// The account page: what one answer each of the summary, the usage and the ledger say.
(() => {
  "use strict";

  const saas = window.invokeaiSaas;
  const byId = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat(undefined);
  const money = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumFractionDigits: 0 });
  const day = (text) => new Date(text).toLocaleDateString(undefined, { dateStyle: "medium" });
  // Days come as dates of UTC, without a time: shown as such wherever the reader is.
  const utcDay = (text) => new Date(text).toLocaleDateString(undefined, { dateStyle: "medium", timeZone: "UTC" });
  const moment = (text) => new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const KINDS = { grant: "Added", settlement: "Used", expiry: "Expired", refund: "Refunded", adjustment: "Adjusted" };
  const SOURCES = { trial: "Trial", subscription: "Plan", pack: "Credit pack", tester: "Tester", adjustment: "Adjustment" };

  const MODELS = { sd: "Stable Diffusion", flux: "FLUX", custom: "your own" };
  const sentence = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

  const count = (n, what) => `${number.format(n)} ${what}${n === 1 ? "" : "s"}`;

  let next = null; // the ledger's following page

  function addRow(body, cells) {
    const row = body.insertRow();
    for (const [text, kind] of cells) {
      const cell = row.insertCell();
      cell.textContent = text;
      if (kind) cell.className = kind;
    }
  }

  function addTerm(list, term, value) {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    list.append(dt, dd);
  }

  function showPlan({ plan, status, period_end: end, cancel_at_period_end: ending }) {
    byId("plan-name").textContent = plan ? plan.name : "No plan";
    const list = byId("plan-terms");
    if (!plan) return addTerm(list, "Your plan has ended", "pictures stay readable");
    if (plan.monthly_price !== null && plan.plan_type === "paid") addTerm(list, "Price a month", money.format(plan.monthly_price));
    const until = status === "trialing" ? "Trial ends" : ending ? "Ends" : "Renews";
    addTerm(list, until, day(end));
    addTerm(list, "GPU", sentence(plan.gpu_tier));
    addTerm(list, "Jobs at once", plan.max_queues ?? "no limit");
    addTerm(list, "Storage", plan.max_storage_gb === null ? "no limit" : `${number.format(plan.max_storage_gb)} GB`);
    addTerm(list, "Models", plan.model_access.map((name) => MODELS[name] ?? name).join(", "));
  }

  function showCredits({ available, reserved, balance, expires }) {
    byId("available").textContent = number.format(available);
    const list = byId("credit-terms");
    addTerm(list, "Reserved by running and waiting jobs", number.format(reserved));
    addTerm(list, "Balance", number.format(balance));
    for (const grant of expires) {
      const name = SOURCES[grant.source] ?? grant.source;
      addTerm(list, `${name} credits, until ${day(grant.valid_until)}`, number.format(grant.amount));
    }
  }

  function showUsage({ total, items }) {
    byId("usage-none").hidden = items.length > 0;
    byId("usage-table").hidden = items.length === 0;
    byId("usage-total").textContent = `${count(total.credits, "credit")} for ${count(total.jobs, "job")} in the last 30 days`;
    for (const item of items) {
      addRow(byId("usage-rows"), [
        [utcDay(item.day)],
        [item.model],
        [number.format(item.jobs), "number"],
        [number.format(Number(item.gpu_seconds)), "number"],
        [number.format(item.credits), "number"],
      ]);
    }
  }

  async function showHistory() {
    const query = next ? `?limit=20&before=${encodeURIComponent(next)}` : "?limit=20";
    const page = await saas.api(`/api/v1/credits/history${query}`);
    for (const item of page.items) {
      const sign = item.amount > 0 ? "+" : "−";
      addRow(byId("history-rows"), [
        [moment(item.created_at)],
        [KINDS[item.type] ?? item.type],
        [item.description],
        [`${sign}${number.format(Math.abs(item.amount))}`, item.amount > 0 ? "number gain" : "number"],
      ]);
    }
    next = page.next;
    byId("older").hidden = next === null;
  }

  function showPerson({ display_name: name, email }) {
    byId("person").textContent = name ? `${name} · ${email}` : email;
  }

  async function logOut() {
    await saas.api("/api/v1/auth/logout", { method: "POST" }).catch(() => null);
    leave();
  }

  function leave() {
    saas.forget();
    location.assign("/login");
  }

  function showFailure(error) {
    if (error?.status === 401) return leave();
    const line = byId("failure");
    line.textContent = error?.body?.detail ?? "The service cannot be reached right now. Please reload the page.";
    line.hidden = false;
  }

  async function start() {
    if (!saas.token()) return leave();
    const [person, summary, usage] = await Promise.all([
      saas.api("/api/v1/auth/me"),
      saas.api("/api/v1/account/summary"),
      saas.api("/api/v1/usage?days=30"),
    ]);
    showPerson(person);
    showPlan(summary);
    showCredits(summary);
    showUsage(usage);
    await showHistory();
    byId("account").hidden = false;
  }

  byId("older").addEventListener("click", () => showHistory().catch(showFailure));
  byId("log-out").addEventListener("click", logOut);
  start().catch(showFailure);
})();

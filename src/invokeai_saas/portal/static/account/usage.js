// Use by day and model, in the reader's own days.

import { showChart } from "./chart.js";
import { addRow, byId, counted, get, number, plainDay, says } from "./common.js";

const MOST_PAGES = 5; // of 1,000 rows each

async function ask(query) {
  const found = await get(`/api/v1/usage?${query}`);
  for (let page = 1; found.next && page < MOST_PAGES; page += 1) {
    query.set("before", found.next);
    const more = await get(`/api/v1/usage?${query}`);
    found.items.push(...more.items);
    found.next = more.next;
  }
  return found;
}

// A browser may know a time zone that the service does not.
async function usage(days) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    return await ask(new URLSearchParams({ days, tz: zone ?? "UTC" }));
  } catch (error) {
    if (error?.status !== 422) throw error;
    return ask(new URLSearchParams({ days }));
  }
}

export async function showUsage() {
  const found = await usage(byId("usage-days").value);
  const { total, items } = found;
  const none = items.length === 0;
  byId("usage-none").hidden = !none;
  byId("usage-table").hidden = none;
  byId("usage-total").textContent = says("usage_total", {
    credits: counted("count_credits", total.credits),
    jobs: counted("count_jobs", total.jobs),
  });
  byId("usage-rows").replaceChildren();
  for (const { day, model, jobs, gpu_seconds: seconds, credits } of items) {
    addRow(byId("usage-rows"), [
      [plainDay(day)],
      [model],
      [number(jobs), "number"],
      [number(Number(seconds)), "number"],
      [number(credits), "number"],
    ]);
  }
  showChart(found);
}

export function startUsage(showFailure) {
  byId("usage-days").addEventListener("change", () => showUsage().catch(showFailure));
}

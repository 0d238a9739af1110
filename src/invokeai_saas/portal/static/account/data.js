// A person's data: all of it in a file, and the end of the account.

import { ask, Refusal } from "./ask.js";
import { act, addRow, button, byId, bytes, day, element, get, moment, says, send, tell } from "./common.js";

const EXPORTS = "/api/v1/privacy/exports";
const DELETION = "/api/v1/privacy/deletion";
const LOOK_AGAIN = 5_000; // ms, while an export is being made

function fetchLink({ url, status, created_at: when }) {
  if (status !== "ready" || !url) return "";
  const link = element("a", { href: url, textContent: says("export_fetch"), download: "" });
  link.setAttribute("aria-label", says("export_fetch_named", { day: day(when) }));
  return link;
}

async function listExports() {
  const exports = await get(EXPORTS);
  byId("exports-table").hidden = exports.length === 0;
  byId("export-rows").replaceChildren();
  for (const one of exports) {
    const until = one.expires_at ? day(one.expires_at) : "";
    addRow(byId("export-rows"), [
      [moment(one.created_at)],
      [says(`export_${one.status}`, { day: until })],
      [one.bytes ? bytes(one.bytes) : "–", "number"],
      [fetchLink(one)],
    ]);
  }
  const busy = exports.some(({ status }) => status === "pending" || status === "running");
  byId("export-ask").disabled = busy;
  if (busy) setTimeout(() => listExports().catch(() => null), LOOK_AGAIN); // the next look may succeed again
}

function askForExport({ currentTarget }) {
  return act(currentTarget, byId("exports-outcome"), async () => {
    await send("POST", EXPORTS);
    tell(byId("exports-outcome"), says("exports_asked"));
  }).then(() => listExports().catch(() => null));
}

function askDeletion() {
  const words = {
    title: says("deletion_title"),
    text: says("deletion_lead"),
    confirm: says("deletion_confirm"),
    danger: true,
    password: says("deletion_password"),
  };
  ask(words, async (password) => {
    if (!password) throw new Refusal(says("deletion_password_missing"));
    try {
      await send("POST", DELETION, { password });
    } catch (error) {
      if (error?.status === 422 || error?.status === 403) throw new Refusal(says("password_wrong"));
      throw error;
    }
    await showDeletion();
  });
}

function keepAccount(pressed) {
  return act(pressed, byId("deletion-outcome"), async () => {
    await send("DELETE", DELETION);
    await showDeletion();
    tell(byId("deletion-outcome"), says("deletion_kept"));
  });
}

async function showDeletion() {
  const { delete_at: due } = await get(DELETION);
  byId("deletion-lead").hidden = Boolean(due);
  tell(byId("deletion-due"), due ? says("deletion_due", { day: moment(due) }) : "");
  const keep = () => button(says("deletion_keep"), keepAccount, "main");
  byId("deletion-actions").replaceChildren(due ? keep() : button(says("deletion_ask"), askDeletion, "danger"));
}

// Whether an endpoint is served here; anything else that goes wrong is told by who called.
async function served(show) {
  try {
    await show();
    return true;
  } catch (error) {
    if (error?.status === 404) return false;
    throw error;
  }
}

// Shows what is served of this section; answers whether anything is.
export async function startData() {
  byId("export-ask").addEventListener("click", askForExport);
  const exports = await served(listExports);
  const deletion = await served(showDeletion);
  byId("exports").hidden = !exports;
  byId("deletion").hidden = !deletion;
  byId("data").hidden = !exports && !deletion;
  return exports || deletion;
}

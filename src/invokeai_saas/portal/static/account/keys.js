// API keys: a new one is shown once, the others by how they begin.

import { ask } from "./ask.js";
import { act, addRow, button, byId, day, get, leave, moment, says, send, tell, why } from "./common.js";

const KEYS = "/api/v1/keys";
const outcome = byId("keys-outcome");
const form = byId("key-form");
const nameField = byId("key-name");

function revoke({ id, name }) {
  const words = {
    title: says("keys_revoke_title", { name }),
    text: says("keys_revoke_text"),
    confirm: says("keys_revoke"),
    danger: true,
  };
  ask(words, async () => {
    await send("DELETE", `${KEYS}/${encodeURIComponent(id)}`);
    byId("key-new").hidden = true;
    await list();
    tell(outcome, says("keys_revoked", { name }));
  });
}

async function list() {
  const keys = await get(KEYS);
  byId("keys-none").hidden = keys.length > 0;
  byId("keys-table").hidden = keys.length === 0;
  byId("key-rows").replaceChildren();
  for (const key of keys) {
    const end = button(says("keys_revoke"), () => revoke(key));
    end.setAttribute("aria-label", says("keys_revoke_named", { name: key.name }));
    addRow(byId("key-rows"), [
      [key.name],
      [`${key.prefix}…`, "code"],
      [day(key.created_at)],
      [key.last_used_at ? moment(key.last_used_at) : says("keys_never")],
      [key.expires_at ? day(key.expires_at) : says("keys_never")],
      [end],
    ]);
  }
}

function complain(text) {
  tell(byId("key-name-error"), text);
  nameField.setAttribute("aria-invalid", "true");
  nameField.focus();
}

function refuse(error) {
  if (error?.status === 401) return leave();
  if (error?.status === 403) return notInPlan();
  if (error?.status === 422) return complain(why(error));
  tell(outcome, why(error), true);
}

function notInPlan() {
  byId("keys-refused").hidden = false;
  form.hidden = true;
}

async function create(event) {
  event.preventDefault();
  tell(byId("key-name-error"), "");
  tell(outcome, "");
  nameField.removeAttribute("aria-invalid");
  const name = nameField.value.trim();
  if (!name) return complain(says("keys_name_missing"));
  const days = byId("key-expiry").value;
  const pressed = form.querySelector("button");
  pressed.disabled = true;
  try {
    const made = await send("POST", KEYS, { name, expires_in_days: days ? Number(days) : null });
    byId("key-secret").textContent = made.key;
    byId("key-new").hidden = false;
    byId("key-new").focus();
    nameField.value = "";
    await list();
  } catch (error) {
    refuse(error);
  } finally {
    pressed.disabled = false;
  }
}

function copy({ currentTarget }) {
  const secret = byId("key-secret");
  return act(currentTarget, outcome, async () => {
    try {
      await navigator.clipboard.writeText(secret.textContent);
      tell(outcome, says("keys_copied"));
    } catch {
      // Without permission, or over plain HTTP: it is selected at least.
      getSelection().selectAllChildren(secret);
      tell(outcome, says("keys_copy_failed"), true);
    }
  });
}

// Answers whether there are keys here; the section stays hidden where they are not served.
export async function startKeys(plan) {
  try {
    await list();
  } catch (error) {
    if (error?.status === 404) return false;
    if (error?.status !== 403) throw error;
  }
  if (!plan?.api_access) notInPlan();
  form.addEventListener("submit", create);
  byId("key-copy").addEventListener("click", copy);
  byId("keys").hidden = false;
  return true;
}

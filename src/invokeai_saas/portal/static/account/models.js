// A person's own models: installing them, how far that is, and deleting them.

import { ask } from "./ask.js";
import {
  act, addRow, button, byId, bytes, day, element, get, has, isKeyboardLost, leave, says, send, tell, why,
} from "./common.js";
import { showStorage } from "./plan.js";

const INSTALLS = "/api/v2/models/install";
const LOOK_AGAIN = 3_000; // ms, while something is under way
const REPOSITORY = /^(?:https:\/\/huggingface\.co\/)?([\w.-]+\/[\w.-]+?)\/?$/;
const UNDER_WAY = new Set(["waiting", "downloading", "downloads_done", "running", "paused"]);
const FAMILIES = {
  "sd-1": "Stable Diffusion 1",
  "sd-2": "Stable Diffusion 2",
  "sdxl": "Stable Diffusion XL",
  "sdxl-refiner": "Stable Diffusion XL (refiner)",
  "sd-3": "Stable Diffusion 3",
  "flux": "FLUX",
};

const form = byId("install-form");
const source = byId("install-source");
const choice = byId("install-choice");
const outcome = byId("models-outcome");

let listed = 0; // how often the lists were asked for: an earlier answer does not replace a later one
let looking = null;
let busy = new Set(); // installs under way when the page last heard

const path = (id) => `${INSTALLS}/${id}`;

// The last part of where a model comes from, which says most in least room.
function sourceName({ source: from, config_in: wanted }) {
  if (wanted.name) return wanted.name;
  const tail = (text) => text.split("/").pop();
  if (from.type === "hf") return from.subfolder ? `${from.repo_id} – ${tail(from.subfolder)}` : from.repo_id;
  return decoded(tail(from.url.split(/[?#]/)[0])) || from.url;
}

// Addresses are strangers': not all of them are what they say.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function kind({ type, base }) {
  const family = FAMILIES[base] ?? (base === "any" ? "" : base);
  const name = has(`own_kind_${type}`) ? says(`own_kind_${type}`) : type.replaceAll("_", " ");
  return family ? `${name}, ${family}` : name;
}

function state(job) {
  const said = element("span", { textContent: says(`install_${job.status}`) });
  if (job.status === "error" && job.error) {
    return element("div", {}, said, element("p", { className: "muted small", lang: "en", textContent: job.error }));
  }
  if (job.status !== "downloading" || !job.total_bytes) return said;
  said.textContent += ` – ${says("install_so_far", { done: bytes(job.bytes), all: bytes(job.total_bytes) })}`;
  const meter = element("progress", { max: job.total_bytes, value: job.bytes, "aria-hidden": "true" });
  return element("div", {}, said, meter);
}

function change(job, label, method, address) {
  const name = sourceName(job);
  const made = button(says(label), async () => {
    await act(made, outcome, async () => {
      await send(method, address);
      await refresh();
    });
    keyboardBack(job.id);
  });
  made.setAttribute("aria-label", says(`${label}_named`, { name }));
  return made;
}

function action(job) {
  if (UNDER_WAY.has(job.status)) return change(job, "install_cancel", "DELETE", path(job.id));
  return job.status === "error" ? change(job, "install_again", "POST", `${path(job.id)}/restart_failed`) : "";
}

function showInstalls(jobs) {
  byId("installs").hidden = jobs.length === 0;
  byId("installs-clear").hidden = jobs.every(({ status }) => UNDER_WAY.has(status));
  byId("install-rows").replaceChildren();
  for (const job of jobs) {
    addRow(byId("install-rows"), [[sourceName(job)], [state(job)], [action(job)]]).dataset.id = job.id;
  }
}

function askToDelete({ key, name }) {
  const words = {
    title: says("own_delete_title", { name }),
    text: says("own_delete_text"),
    confirm: says("own_delete"),
    danger: true,
  };
  ask(words, async () => {
    await send("DELETE", `/api/v2/models/i/${encodeURIComponent(key)}`);
    await refresh();
    tell(outcome, says("own_deleted", { name }));
    showStorage().catch(() => null);
    setTimeout(keyboardBack, 0, key); // when the question is closed
  });
}

function showModels(models) {
  byId("models-none").hidden = models.length > 0;
  byId("models-table").hidden = models.length === 0;
  byId("model-rows").replaceChildren();
  for (const model of models) {
    const end = button(says("own_delete"), () => askToDelete(model));
    end.setAttribute("aria-label", says("own_delete_named", { name: model.name }));
    const cells = [[model.name], [kind(model)], [bytes(model.file_size), "number"], [day(model.created_at)], [end]];
    addRow(byId("model-rows"), cells).dataset.id = model.key;
  }
}

// Where the keyboard was in a table that is drawn anew, it is again.
function keepingFocus(draw) {
  const row = document.activeElement?.closest("#models tr")?.dataset.id;
  draw();
  if (row) keyboardBack(row);
}

// What was pressed may be gone: then the row's other button is next, else the section's beginning.
function keyboardBack(row) {
  if (!isKeyboardLost()) return;
  const there = row && byId("models").querySelector(`tr[data-id="${CSS.escape(String(row))}"] button`);
  (there || byId("models-title")).focus({ preventScroll: true });
}

async function list() {
  const turn = (listed += 1);
  clearTimeout(looking);
  const [jobs, own] = await Promise.all([get(INSTALLS), get("/api/v1/account/models")]);
  if (turn !== listed) return;
  form.hidden = !own.may_install;
  byId("models-refused").hidden = own.may_install;
  byId("models-for-all").hidden = !own.for_everybody;
  keepingFocus(() => {
    showInstalls(jobs);
    showModels(own.models);
  });
  sayWhatEnded(jobs);
  if (busy.size) looking = setTimeout(refresh, LOOK_AGAIN);
}

function sayWhatEnded(jobs) {
  const before = busy;
  busy = new Set(jobs.filter(({ status }) => UNDER_WAY.has(status)).map(({ id }) => id));
  const ended = jobs.filter(({ id }) => before.has(id) && !busy.has(id));
  if (!ended.length) return;
  const words = ended.map((job) => `${sourceName(job)}: ${says(`install_${job.status}`)}`);
  tell(outcome, words.join(" · "), ended.some(({ status }) => status === "error"));
  showStorage().catch(() => null);
}

// Shows what is there now. What was done is done, though this may fail: the next look may succeed again.
async function refresh() {
  try {
    await list();
  } catch (error) {
    if (error?.status === 401) return leave();
    looking = setTimeout(refresh, LOOK_AGAIN);
  }
}

function complain(text) {
  tell(byId("install-source-error"), text);
  source.setAttribute("aria-invalid", "true");
  source.focus();
}

function refuse(error) {
  if (error?.status === 401) return leave();
  if (error?.status === 422 || error?.status === 404) return complain(why(error));
  tell(outcome, why(error), true);
}

function forgetChoice() {
  choice.hidden = true;
  byId("install-file").replaceChildren();
}

function offerFiles(urls) {
  const options = urls.map((url) =>
    element("option", { value: url, textContent: decoded(url.replace(/^.*?\/resolve\/[^/]+\//, "")) }),
  );
  byId("install-file").replaceChildren(...options);
  choice.hidden = false;
  tell(outcome, says("install_choose"));
  byId("install-file").focus();
}

// What is to be installed; null where that has to be chosen first, or is nothing.
async function wanted(named, token) {
  if (!choice.hidden) return byId("install-file").value;
  const repository = REPOSITORY.exec(named)?.[1];
  if (token || !repository) return named;
  const { urls } = await get(`/api/v2/models/hugging_face?hugging_face_repo=${encodeURIComponent(repository)}`);
  if (source.value.trim() !== named) return null; // another one was typed meanwhile
  if (urls === null) return repository; // one model in folders
  if (urls.length > 1) offerFiles(urls);
  if (urls.length === 0) complain(says("install_nothing_there"));
  return urls.length === 1 ? urls[0] : null;
}

async function begin(named) {
  const token = byId("install-token").value.trim();
  const from = await wanted(named, token);
  if (from === null) return;
  const asked = new URLSearchParams({ source: from });
  if (token) asked.set("access_token", token);
  const name = byId("install-name").value.trim();
  await send("POST", `${INSTALLS}?${asked}`, name ? { name } : {});
  form.reset();
  forgetChoice();
  tell(outcome, says("install_begun"));
  await refresh();
}

async function install(event) {
  event.preventDefault();
  tell(byId("install-source-error"), "");
  tell(outcome, "");
  source.removeAttribute("aria-invalid");
  const named = source.value.trim();
  if (!named) return complain(says("install_source_missing"));
  const pressed = form.querySelector("button");
  const focused = document.activeElement === pressed;
  pressed.disabled = true;
  try {
    await begin(named);
  } catch (error) {
    refuse(error);
  } finally {
    pressed.disabled = false;
    if (focused && isKeyboardLost()) pressed.focus();
  }
}

// Whoever has models of their own from an earlier plan sees them, and can delete them.
export async function startModels() {
  form.addEventListener("submit", install);
  source.addEventListener("input", forgetChoice);
  byId("installs-clear").addEventListener("click", async ({ currentTarget }) => {
    await act(currentTarget, outcome, async () => {
      await send("DELETE", INSTALLS);
      await refresh();
    });
    keyboardBack(null);
  });
  await list();
  byId("models").hidden = false;
  return true;
}

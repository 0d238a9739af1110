// What the parts of the account page share: texts, figures as the reader writes them, elements, calls of the API.

export const saas = window.invokeaiSaas;
export const language = document.documentElement.lang;
export const byId = (id) => document.getElementById(id);

const texts = JSON.parse(document.body.dataset.messages);
const plural = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(language);

// A text of the page's language, with its {blanks} filled in.
export function says(name, values = {}) {
  return texts[name].replaceAll(/\{(\w+)\}/g, (blank, key) => values[key] ?? blank);
}

export const has = (name) => name in texts;

// "1 job", "2 jobs": the text for a count.
export function counted(name, count) {
  return says(`${name}_${plural.select(count) === "one" ? "one" : "other"}`, { n: number(count) });
}

export const number = (value) => whole.format(value);

export function money(amount, currency = "usd") {
  const options = { style: "currency", currency: currency.toUpperCase() };
  if (Number.isInteger(Number(amount))) options.maximumFractionDigits = 0;
  return new Intl.NumberFormat(language, options).format(Number(amount));
}

export const day = (text) => new Date(text).toLocaleDateString(language, { dateStyle: "medium" });

export const moment = (text) => new Date(text).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });

// A date without a time, which is the same day wherever the reader is.
export function plainDay(text, options = { dateStyle: "medium" }) {
  return new Date(text).toLocaleDateString(language, { ...options, timeZone: "UTC" });
}

export function bytes(count) {
  const power = count < 2 ** 20 ? 1 : count < 2 ** 30 ? 2 : 3;
  const size = count / 1024 ** power;
  const digits = size < 10 ? 1 : 0;
  const written = new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(size);
  return `${written} ${["KB", "MB", "GB"][power - 1]}`;
}

const sentence = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

export const tierName = (tier) => (has(`tier_${tier}`) ? says(`tier_${tier}`) : sentence(tier));

export const modelNames = (families) =>
  families.map((name) => (has(`model_${name}`) ? says(`model_${name}`) : name)).join(", ");

// An element with properties and children; children that are null are left out.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function button(text, pressed, kind = "") {
  const made = element("button", { type: "button", className: `button ${kind}`.trim(), textContent: text });
  made.addEventListener("click", () => pressed(made));
  return made;
}

// Cells are [content, class]; content is text or an element. Answers the row.
export function addRow(body, cells) {
  const row = body.insertRow();
  for (const [content, kind] of cells) {
    const cell = row.insertCell();
    cell.append(content);
    if (kind) cell.className = kind;
  }
  return row;
}

export function addTerm(list, term, value) {
  list.append(element("dt", { textContent: term }), element("dd", { textContent: value }));
}

export const get = (path) => saas.api(path);

export function send(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  return saas.api(path, options);
}

let leaving = false; // what is still asked then may be refused: nobody turns round for that
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) leaving = false; // back again, by the browser's own button
});

function go(next) {
  saas.forget();
  location.assign(next);
}

// For whom the log-in has ended.
export function leave() {
  if (!leaving) go("/login");
  leaving = true;
}

export async function logOut() {
  if (leaving) return;
  leaving = true;
  const left = await send("POST", "/api/v1/auth/logout").catch(() => null);
  go(left?.next ?? "/login"); // where else the person is logged in, which then leads back
}

// Why something was refused. The service's own sentences are English; in other languages its codes have texts here.
export function why(error) {
  const { code, detail } = error?.body ?? {};
  const sentence = Array.isArray(detail) ? detail[0]?.msg : detail;
  if (language === "en" && typeof sentence === "string") return sentence.replace(/^Value error, /, "");
  if (code && has(`error_${code}`)) return says(`error_${code}`);
  if (language === "en" && error instanceof TypeError) return says("unreachable");
  return says(error?.status ? "unknown_error" : "unreachable");
}

export function tell(line, text, failed = false) {
  line.textContent = text;
  line.hidden = !text;
  line.classList.toggle("error", failed);
}

// Whether the keyboard is nowhere: what was pressed has gone, is hidden or out of reach.
export function isKeyboardLost() {
  const at = document.activeElement;
  return !at || at === document.body || at.disabled || !at.checkVisibility();
}

// Does what a button is for: out of reach meanwhile, and what went wrong is told beside it. Who pressed it by keyboard
// is there again afterwards.
export async function act(pressed, line, work) {
  const focused = document.activeElement === pressed;
  pressed.disabled = true;
  tell(line, "");
  try {
    await work();
  } catch (error) {
    if (error?.status === 401) return leave();
    tell(line, why(error), true);
  } finally {
    pressed.disabled = false;
    if (focused && isKeyboardLost()) pressed.focus();
  }
}

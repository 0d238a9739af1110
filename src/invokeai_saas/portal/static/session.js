// The log-in, kept fresh.
//
// InvokeAI's page holds a short-lived access token in localStorage and logs the person out at the first 401. The
// browser also holds a refresh cookie that no script can read. This script swaps that cookie for a new access token
// before the old one ends, and holds back a request whose token has ended already until that has happened: a page
// that was left open overnight, or is opened again the next day, goes on as if nothing had been.
//
// It runs before the page's own modules and asks nothing of them but the name of the storage key.
(() => {
  "use strict";

  const KEY = "auth_token";
  const RENEWAL = "/api/v1/auth/refresh";
  const CHECK_EVERY = 15_000; // ms
  const MARGIN = 120; // s before its end at which an idle page's token is swapped
  const PAUSE_AFTER_REFUSAL = 30_000; // ms

  const nativeFetch = window.fetch.bind(window);
  const filters = []; // functions (url, method, response, asking) -> response, see `filter` below
  let skew = 0; // ms that the server's clock is ahead of ours
  let renewing = null; // the renewal under way, if any
  let refused = { token: null, until: 0 };
  let newest = null; // the token that we stored last

  const token = () => localStorage.getItem(KEY);

  // What a token says, unverified: the server decides, this only saves requests that would be in vain.
  function claims(text) {
    try {
      const part = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
      return JSON.parse(atob(part));
    } catch {
      return {};
    }
  }

  function secondsLeft(text) {
    const { exp } = claims(text);
    return typeof exp === "number" ? exp - (Date.now() + skew) / 1000 : Infinity;
  }

  function margin(text) {
    const { iat, exp } = claims(text);
    return Math.min(MARGIN, (exp - iat) / 4 || MARGIN);
  }

  // Stores a token in place of `previous`, unless somebody logged in or out in the meantime, and tells the page: it
  // listens for this event, which browsers send to other tabs only.
  function adopt(next, previous) {
    if (token() !== previous || claims(next).sub !== claims(previous).sub) return false;
    localStorage.setItem(KEY, next);
    newest = next;
    window.dispatchEvent(
      new StorageEvent("storage", { key: KEY, oldValue: previous, newValue: next, storageArea: localStorage }),
    );
    return true;
  }

  // Whether a token that we have takes this one's place. While it starts, the page does not listen for changes yet, and
  // may write back the token that it began with.
  function succeeds(next, previous) {
    const session = claims(next).origin_jti;
    return Boolean(session) && session === claims(previous).origin_jti && secondsLeft(next) > margin(next);
  }

  async function renewOnce(previous) {
    const current = token();
    if (current !== previous) return current; // another tab was faster
    if (succeeds(newest, previous)) return adopt(newest, previous) ? newest : null;
    const answer = await nativeFetch(RENEWAL, { method: "POST", credentials: "same-origin" });
    learnSkew(answer);
    if (!answer.ok) {
      refused = { token: previous, until: Date.now() + PAUSE_AFTER_REFUSAL };
      return null;
    }
    const next = (await answer.json()).token;
    return adopt(next, previous) ? next : null;
  }

  // The current token's successor; null where there is none to be had. One at a time over all tabs, because the
  // cookie can be swapped only once.
  function renew() {
    const previous = token();
    if (!previous || (refused.token === previous && Date.now() < refused.until)) return Promise.resolve(null);
    const locked = () =>
      navigator.locks
        ? navigator.locks.request("invokeai-saas-renewal", () => renewOnce(previous))
        : renewOnce(previous);
    renewing ??= locked()
      .catch(() => null)
      .finally(() => {
        renewing = null;
      });
    return renewing;
  }

  // A token that is good for now, renewed if need be; null for nobody.
  async function freshToken() {
    const current = token();
    if (!current || secondsLeft(current) > 1) return current;
    return (await renew()) ?? token();
  }

  function learnSkew(response) {
    const date = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(date) && Math.abs(date - Date.now()) > 5_000) skew = date - Date.now();
    else skew = 0;
  }

  async function withFreshToken(input, init) {
    const request = new Request(input, init);
    if (request.headers.get("authorization") === `Bearer ${token()}`) {
      const next = await freshToken();
      if (next) request.headers.set("authorization", `Bearer ${next}`);
    }
    return nativeFetch(request);
  }

  window.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, document.baseURI);
    if (url.origin !== location.origin || !url.pathname.startsWith("/api/")) return nativeFetch(input, init);
    const ask = () => {
      const current = token();
      const ended = current !== null && secondsLeft(current) <= 1;
      return ended ? withFreshToken(input, init) : nativeFetch(input, init);
    };
    const asking = { since: performance.now(), ask };
    let response = await ask();
    learnSkew(response);
    const method = (init?.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
    for (const filter of filters) response = await filter(url, method, response, asking);
    return response;
  };

  // The page's socket sends its token with the first packet of each connection (`40{"token":"…"}`, over XHR), and
  // gives up for good when it is refused. It too gets a token that is good for now.
  const CONNECT = /^40\{"token":"([^"]+)"\}/;
  const nativeSend = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function send(body) {
    const [packet, old] = (typeof body === "string" && CONNECT.exec(body)) || [];
    const current = token();
    const right = !old || !current || claims(old).sub !== claims(current).sub || (old === current && secondsLeft(old) > 1);
    if (right) return nativeSend.call(this, body);
    freshToken().then((next) => {
      const said = next ? `40${JSON.stringify({ token: next })}` : packet;
      nativeSend.call(this, said + body.slice(packet.length));
    });
  };

  // JSON of one of our endpoints, as the person who is logged in.
  // Throws {status, body} for any answer but a good one.
  async function api(path, options = {}) {
    const sent = await freshToken();
    const headers = { ...options.headers };
    if (sent) headers.authorization = `Bearer ${sent}`;
    const answer = await nativeFetch(path, { ...options, headers });
    learnSkew(answer);
    const next = answer.headers.get("x-refreshed-token");
    if (next && sent) adopt(next, sent);
    const body = await answer.json().catch(() => null);
    if (!answer.ok) throw { status: answer.status, body };
    return body;
  }

  function check() {
    const current = token();
    if (current && secondsLeft(current) < margin(current)) renew();
  }
  setInterval(check, CHECK_EVERY);
  document.addEventListener("visibilitychange", () => document.hidden || check());
  check();

  window.invokeaiSaas = {
    api,
    token,
    freshToken,
    // Whose token it is; renewals change the token, not this. Null for nobody.
    subject: () => token() && (claims(token()).sub ?? token()),
    // Lets a script see, and replace, the answers to the page's calls of the API. `asking` tells since when the
    // page has waited, and can ask once more what has no body.
    filter: (change) => filters.push(change),
    logIn: (next) => localStorage.setItem(KEY, next),
    forget: () => localStorage.removeItem(KEY),
  };
})();

// Our bar on InvokeAI's page: credits, plan, and the way to the account.
//
// It stands in the empty stretch of the page's navigation rail, which no panel ever covers, in a root of its own:
// the page may render as it likes. Where there is no rail (the log-in page) it offers an account instead. Should our
// endpoints fail, it shows what it last knew, or nothing.
(() => {
  "use strict";

  const POLL = 30_000; // ms between looks while there is no socket
  const SLOW_POLL = 300_000; // ms while there is one: credits also expire without an event
  const PLACE_EVERY = 1_000; // ms
  const GAP = 10; // px kept free on both sides

  const STYLE = `
    :host { all: initial; }
    [hidden] { display: none !important; }
    * { box-sizing: border-box; }
    a { color: inherit; text-decoration: none; }
    .credits, .join { position: fixed; z-index: 20; font: 500 13px/1.3 "Inter Variable", Inter, sans-serif; }
    .chip {
      display: flex; flex-direction: column; align-items: center; gap: 1px; margin: 0 3px; padding: 6px 0;
      border-radius: 4px; color: hsl(220 12% 76%); background: hsl(220 12% 15%);
    }
    .chip:hover, .chip:focus-visible { background: hsl(220 12% 22%); color: #fff; }
    .chip:focus-visible, .card a:focus-visible, .join a:focus-visible { outline: 2px solid #47b1e6; outline-offset: 1px; }
    .amount { font-size: 14px; font-weight: 700; color: #f1f2f4; font-variant-numeric: tabular-nums; }
    .low .amount { color: #ffb454; }
    .none .amount { color: #ff8b8b; }
    .small { font-size: 10px; max-width: 46px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .held { color: #47b1e6; }
    .compact .small { display: none; }
    .head .card { top: 0; bottom: auto; }
    .card {
      position: absolute; left: 100%; bottom: 0; width: 216px; padding: 12px 14px; border-radius: 6px; visibility: hidden;
      opacity: 0; transition: opacity 120ms 150ms, visibility 0s 270ms; background: hsl(220 12% 20%); color: #d7dae0;
      box-shadow: 0 4px 16px rgb(0 0 0 / 50%);
    }
    .credits:hover .card, .credits:focus-within .card { visibility: visible; opacity: 1; transition-delay: 150ms, 150ms; }
    .card p { margin: 0 0 8px; font-weight: 600; color: #f1f2f4; }
    dl { display: grid; grid-template-columns: 1fr auto; gap: 4px 12px; margin: 0 0 10px; }
    dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
    .card a, .join a { color: #6bc1ec; font-weight: 600; }
    .card a:hover, .join a:hover { text-decoration: underline; }
    .join { color: #d7dae0; font-size: 14px; text-align: center; display: grid; gap: 8px; }
    .problem { color: #ffb454; }
    @media (prefers-reduced-motion: reduce) { .card { transition: none; } }`;

  const saas = window.invokeaiSaas;
  const words = saas.words;

  const MARKUP = `
    <div class="credits" hidden>
      <a class="chip" href="/account">
        <span class="amount"></span><span class="small">${words.credits}</span>
        <span class="small held" hidden></span><span class="small plan"></span>
      </a>
      <div class="card">
        <p class="title"></p>
        <dl>
          <dt>${words.available}</dt><dd class="available"></dd>
          <dt>${words.reserved}</dt><dd class="reserved"></dd>
          <dt>${words.balance}</dt><dd class="balance"></dd>
        </dl>
        <a href="/account">${words.account}</a>
      </div>
    </div>
    <div class="join" hidden>
      <div class="problem" role="alert" hidden></div>
      <div class="hosted" hidden><a></a></div>
      <div>${words.newHere} <a href="/signup">${words.join}</a></div>
      <div><a href="/welcome">${words.what}</a> · <a href="/pricing">${words.pricing}</a></div>
      <div><a href="/forgot-password">${words.forgot}</a></div>
    </div>`;

  const number = new Intl.NumberFormat(saas.locale);
  const short = new Intl.NumberFormat(saas.locale, { notation: "compact", maximumFractionDigits: 1 });
  const host = document.createElement("invokeai-saas-bar");
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${STYLE}</style>${MARKUP}`;
  const part = (name) => root.querySelector(`.${name}`);
  const credits = part("credits");
  const join = part("join");

  let summary = null;
  let known = null; // whose summary that is
  let stop = null; // ends the socket of the one who is logged in
  let connected = false;
  let looked = 0; // when we last asked
  let told = 0; // how often we were told of credits
  let looks = 0; // how often we have asked
  let shown = 0; // which look's answer is shown: one that comes after a later one's is out of date
  let pending = 0; // timer of a look that is due
  let rail = null; // the page's element that we stand in
  let problem = new URLSearchParams(location.search).get("problem"); // of a log-in elsewhere; our server has the words
  let offered = false; // whether we have asked for other ways to log in

  function say() {
    const { available, reserved, balance, plan, period_end: end } = summary;
    const name = plan?.name ?? words.noPlan;
    part("amount").textContent = available > 99_999 ? short.format(available) : number.format(available);
    part("held").textContent = words.held(short.format(reserved));
    part("held").hidden = reserved === 0;
    part("plan").textContent = name;
    const day = end && new Date(end).toLocaleDateString(saas.locale, { day: "numeric", month: "long" });
    part("title").textContent = day ? words.until(name, day) : name;
    for (const figure of ["available", "reserved", "balance"]) part(figure).textContent = number.format(summary[figure]);
    const held = reserved > 0 ? number.format(reserved) : null;
    part("chip").setAttribute("aria-label", words.label(number.format(available), held, plan?.name ?? null));
    credits.classList.toggle("low", available > 0 && available < 20);
    credits.classList.toggle("none", available <= 0);
    host.dataset.available = available; // for scripts and tests; the shadow root shows the same
    host.dataset.reserved = reserved;
    host.dataset.balance = balance;
  }

  async function look() {
    clearTimeout(pending);
    pending = 0;
    looked = Date.now();
    const asked = (looks += 1);
    const heard = told;
    const whose = known;
    try {
      const answer = await saas.api("/api/v1/account/summary");
      if (whose === known && asked > shown) {
        shown = asked;
        summary = answer;
        say();
        place();
        if (heard !== told) lookSoon(); // the answer may be older than what was told meanwhile
      }
    } catch {
      // What we showed stays; the next event or look tries again.
    }
  }

  // Several events come with each job: one look serves all of a moment.
  function lookSoon() {
    pending ||= setTimeout(look, 250);
  }

  function onEvent(name, payload) {
    if (name === "credits_changed") told += 1;
    if (name === "credits_changed" && summary && typeof payload?.available === "number") {
      const { available, reserved, balance } = payload;
      Object.assign(summary, { available, reserved, balance });
      say();
    } else if (name === "queue_item_status_changed" || name === "credits_changed") {
      lookSoon();
    }
  }

  function onState(now) {
    if (now && !connected) lookSoon(); // what happened while nobody listened
    connected = now;
  }

  function follow() {
    const now = saas.subject();
    if (now === known) return;
    known = now;
    summary = null;
    stop?.();
    stop = null;
    connected = false;
    if (!now) return;
    stop = saas.listen(onEvent, onState);
    look();
  }

  function place() {
    if (!host.isConnected) document.body.append(host);
    placeCredits();
    placeJoin();
  }

  // The rail's lower icons move when one more of them appears, or gets its size; this is told before that is painted.
  // The rail itself keeps its size meanwhile, so its parts are watched as well.
  const railWatch = new MutationObserver(() => {
    watchParts();
    placeCredits();
  });
  const railSize = new ResizeObserver(() => placeCredits());

  function watchParts() {
    for (const child of rail?.children ?? []) railSize.observe(child);
  }

  function watch(element) {
    if (element === rail) return;
    rail = element;
    railWatch.disconnect();
    railSize.disconnect();
    if (!rail) return;
    railWatch.observe(rail, { childList: true, subtree: true });
    railSize.observe(rail);
    watchParts();
  }

  function placeCredits() {
    const last = document.querySelector('[data-testid="Workflows"]');
    const first = document.querySelector('[data-testid="Models"]');
    watch(first?.parentElement ?? null);
    const above = last?.getBoundingClientRect();
    const below = first?.getBoundingClientRect();
    credits.hidden = !(summary && above?.width && below?.width);
    if (credits.hidden) return;
    const room = below.top - above.bottom - 2 * GAP;
    credits.style.left = "0px";
    credits.style.width = `${below.left + below.right}px`; // as wide as the rail, whose middle the icons hold
    credits.style.top = "auto";
    credits.style.bottom = `${window.innerHeight - below.top + GAP}px`;
    credits.classList.remove("compact", "head");
    if (credits.offsetHeight > room) credits.classList.add("compact");
    if (credits.offsetHeight > room) {
      // A window too low for any free place in the rail: over the emblem at its head, which does nothing.
      credits.classList.add("head");
      credits.style.top = "14px";
      credits.style.bottom = "auto";
    }
  }

  // Another way to log in, and what became of it the last time.
  async function offer() {
    offered = true;
    const said = await fetch(`/login/offer?${new URLSearchParams(problem ? { problem } : {})}`)
      .then((answer) => answer.json())
      .catch(() => ({}));
    if (problem) history.replaceState(history.state, "", location.pathname);
    problem = null;
    part("problem").textContent = said.problem ?? "";
    part("problem").hidden = !said.problem;
    const link = part("hosted").querySelector("a");
    link.textContent = said.label ?? "";
    if (said.href) link.href = said.href;
    part("hosted").hidden = !said.href;
    place();
  }

  function placeJoin() {
    const form = location.pathname.endsWith("/login") && document.querySelector("input[type=password]")?.closest("form");
    join.hidden = !form || Boolean(saas.token());
    if (join.hidden) return;
    if (!offered) offer();
    const card = (form.parentElement ?? form).getBoundingClientRect();
    join.style.left = `${card.left}px`;
    join.style.width = `${card.width}px`;
    join.style.top = `${Math.min(card.bottom + 20, window.innerHeight - join.offsetHeight - 14)}px`;
  }

  function tick() {
    follow();
    place();
    if (document.hidden || !known) return;
    if (Date.now() - looked > (connected ? SLOW_POLL : POLL)) look();
  }

  function start() {
    tick();
    setInterval(tick, PLACE_EVERY);
    window.addEventListener("resize", place);
    window.addEventListener("storage", tick);
    document.addEventListener("visibilitychange", tick);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

// Tells people why something was refused.
//
// InvokeAI's page shows the text of an error only for 422 answers to an enqueue; for all others it says "Unknown
// Error" or nothing. Our refusals say what to do next, so they are put where the page shows them, or shown here.
(() => {
  "use strict";

  const ENQUEUE = /^\/api\/v1\/queue\/[^/]+\/enqueue_batch$/;
  const SHOWN_FOR = 12_000; // ms
  // Refusals of a plan, a quota or a limit: what a person can do something about.
  const TOLD = new Set([402, 403, 413, 415, 429, 503, 507]);

  async function reason(response) {
    const body = await response.clone().json().catch(() => null);
    return body && typeof body.code === "string" ? body : null;
  }

  // The page reads an enqueue's errors as a 422 whose `loc` holds strings only.
  function asFieldErrors(body) {
    const entries = Array.isArray(body.detail) ? body.detail : [{ loc: ["body"], msg: body.detail, type: body.code }];
    const detail = entries.map(({ loc, msg, type }) => ({ loc: loc.map(String), msg: String(msg), type }));
    const headers = { "content-type": "application/json" };
    return new Response(JSON.stringify({ ...body, detail }), { status: 422, headers });
  }

  let box = null;
  let timer = 0;

  function show(text) {
    box ??= makeBox();
    if (!box.host.isConnected) document.body.append(box.host);
    box.text.textContent = text;
    box.frame.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(hide, SHOWN_FOR);
  }

  function hide() {
    box.frame.hidden = true;
    box.text.textContent = "";
  }

  function makeBox() {
    const host = document.createElement("invokeai-saas-notice");
    const root = host.attachShadow({ mode: "open" });
    root.innerHTML = `
      <style>
        [role="alert"] {
          position: fixed; z-index: 5600; left: 50%; bottom: 16px; transform: translateX(-50%);
          display: flex; gap: 12px; align-items: start; box-sizing: border-box; width: max-content;
          max-width: min(480px, calc(100vw - 24px)); padding: 12px 14px; border-radius: 6px;
          background: hsl(0 42% 42%); color: #fff; font: 500 14px/1.4 "Inter Variable", sans-serif;
          box-shadow: 0 4px 16px rgb(0 0 0 / 50%);
        }
        [role="alert"][hidden] { display: none; }
        button { all: unset; cursor: pointer; padding: 0 4px; font-size: 18px; line-height: 1; }
        button:focus-visible { outline: 2px solid #fff; border-radius: 3px; }
      </style>
      <div role="alert" hidden><span></span><button type="button" aria-label="${window.invokeaiSaas.words.close}">×</button></div>`;
    const frame = root.querySelector("[role=alert]");
    root.querySelector("button").addEventListener("click", hide);
    return { host, frame, text: root.querySelector("span") };
  }

  window.invokeaiSaas.filter(async (url, method, response) => {
    if (response.ok || response.status === 401) return response;
    if (method === "POST" && ENQUEUE.test(url.pathname)) {
      const body = await reason(response);
      return body ? asFieldErrors(body) : response;
    }
    if (method !== "GET" && TOLD.has(response.status) && !url.pathname.startsWith("/api/v1/auth/")) {
      const body = await reason(response);
      if (typeof body?.detail === "string") show(body.detail);
    }
    return response;
  });
})();

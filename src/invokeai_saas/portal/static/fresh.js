// Answers about queue and gallery that are not out of date when they arrive.
//
// An event of the queue makes InvokeAI's page ask again, but not for what it is asking already. A short job ends while
// the page still asks about its beginning; what then arrives is from before the end, and stays: a button to cancel what
// is over. It is the same with what the page itself changes: of two pictures uploaded together one would be missing. So
// an answer that a change has overtaken is asked for once more, before the page sees it.
(() => {
  "use strict";

  const QUEUE = /^\/api\/v1\/queue\//;
  const GALLERY = /^\/api\/v1\/(gallery|images|videos|boards|board_images|virtual_boards)\//;
  const READ_BY_POST = /_by_(names|ids)$/;
  const EVENT = /^42\["(queue_|batch_)/; // Socket.IO's wire, see socket.js
  const TRIES = 3;

  // When the last change of each came, told by an event or made by the page, by `performance.now`.
  const changed = { queue: -Infinity, gallery: -Infinity };

  // The page's socket is looked at rather than our own: of the two, it is the one that makes the page ask.
  const NativeWebSocket = window.WebSocket;
  window.WebSocket = class extends NativeWebSocket {
    constructor(...how) {
      super(...how);
      this.addEventListener("message", ({ data }) => {
        if (typeof data === "string" && EVENT.test(data)) changed.queue = performance.now();
      });
    }
  };

  function subject(path) {
    if (QUEUE.test(path)) return "queue";
    return GALLERY.test(path) ? "gallery" : null;
  }

  // The whole answer, here and now: while the rest of it is on its way, an event could overtake it still.
  async function whole(response) {
    const { status, statusText, headers } = response;
    return new Response(await response.arrayBuffer(), { status, statusText, headers });
  }

  window.invokeaiSaas.filter(async (url, method, response, { since, ask }) => {
    const what = subject(url.pathname);
    if (!what || !response.ok) return response;
    if (method !== "GET") {
      if (!READ_BY_POST.test(url.pathname)) changed[what] = performance.now();
      return response;
    }
    let asked = since;
    let answer = await whole(response);
    for (let tries = 0; changed[what] > asked && tries < TRIES; tries += 1) {
      asked = performance.now();
      const next = await ask();
      if (!next.ok) break;
      answer = await whole(next);
    }
    return answer;
  });
})();

// Answers about queue and gallery that are not out of date when they arrive.
//
// An event of the queue makes InvokeAI's page ask again, but not for what it is asking already. A short job ends while
// the page still asks about its beginning; what then arrives is from before the end, and stays: a button to cancel what
// is over. It is the same with what the page itself changes: of two pictures uploaded together one would be missing. So
// an answer that a change has overtaken is asked for once more, before the page sees it.
//
// When a board is deleted and its pictures are kept, the page does not ask how many lie on no board now, and they seem
// lost. It asks for all that it shows when it hears that the network is back: so it hears that.
(() => {
  "use strict";

  const QUEUE = /^\/api\/v1\/queue\//;
  const GALLERY = /^\/api\/v1\/(gallery|images|videos|boards|board_images|virtual_boards)\//;
  const BOARDS = "/api/v1/boards/";
  const BOARD = /^\/api\/v1\/boards\/[^/]+$/;
  const READ_BY_POST = /_by_(names|ids)$/;
  const EVENT = /^42\["(queue_|batch_)/; // Socket.IO's wire, see socket.js
  const TRIES = 3;

  // When the last change of each came, told by an event or made by the page, by `performance.now`.
  const changed = { queue: -Infinity, gallery: -Infinity };

  let uncounted = false; // whether pictures have been kept of a board that was deleted

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

  // The whole answer, here and now: while the rest of it is on its way, an event could overtake it still. It could do
  // so while the page reads a body, too, which on a busy machine takes a while; so what JSON is read from is at hand,
  // and no event comes between our last look and what the page makes of it.
  async function whole(response) {
    const { status, statusText, headers } = response;
    const bytes = await response.arrayBuffer();
    let text = null;
    const read = () => (text ??= new TextDecoder().decode(bytes));
    const copy = () =>
      Object.assign(new Response(bytes, { status, statusText, headers }), {
        text: async () => read(),
        json: async () => JSON.parse(read()),
        clone: copy,
      });
    return copy();
  }

  async function kept(response) {
    const { deleted_board_images: pictures, deleted_board_videos: videos } = await response.clone().json();
    return pictures.length + videos.length > 0;
  }

  // Once the page knows that the board is gone, so that it does not ask about that board again.
  function countAgain() {
    uncounted = false;
    setTimeout(() => window.dispatchEvent(new Event("online")));
  }

  window.invokeaiSaas.filter(async (url, method, response, { since, ask }) => {
    const what = subject(url.pathname);
    if (!what || !response.ok) return response;
    if (method !== "GET") {
      if (!READ_BY_POST.test(url.pathname)) changed[what] = performance.now();
      if (method === "DELETE" && BOARD.test(url.pathname)) uncounted = await kept(response);
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
    if (uncounted && url.pathname === BOARDS) countAgain();
    return answer;
  });
})();

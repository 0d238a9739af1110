// Events of the person who is logged in, over a WebSocket of our own.
//
// Just enough of Socket.IO's wire to listen: engine.io 4 (open `0`, ping `2`, pong `3`, message `4`) and Socket.IO 5
// inside its messages (connect `0`, disconnect `1`, event `2`, connect error `4`).
// https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/
(() => {
  "use strict";

  const PATH = "/ws/socket.io/?EIO=4&transport=websocket";
  const FIRST_WAIT = 1_000; // ms; doubles with each failure
  const LONGEST_WAIT = 60_000; // ms

  // Calls `onEvent(name, payload)` for each event, and `onState(connected)` when that changes. Answers a function
  // that stops it all.
  function listen(onEvent, onState) {
    let socket = null;
    let wait = FIRST_WAIT;
    let timer = 0;
    let silence = 0;
    let patience = 60_000; // ms without a ping after which the connection is given up
    let stopped = false;

    async function open() {
      const token = await window.invokeaiSaas.freshToken();
      if (stopped) return;
      if (!token) return again();
      const address = new URL(PATH, location.href);
      address.protocol = address.protocol.replace("http", "ws");
      socket = new WebSocket(address);
      socket.onmessage = ({ data }) => typeof data === "string" && receive(data, token);
      socket.onclose = () => {
        clearTimeout(silence);
        onState(false);
        again();
      };
      expectSomething();
    }

    function receive(data, token) {
      expectSomething();
      const [engine, kind] = data;
      if (engine === "0") {
        const { pingInterval, pingTimeout } = JSON.parse(data.slice(1));
        patience = pingInterval + pingTimeout;
        socket.send(`40${JSON.stringify({ token })}`);
      } else if (engine === "2") {
        socket.send("3");
      } else if (engine === "4" && kind === "0") {
        wait = FIRST_WAIT;
        onState(true);
      } else if (engine === "4" && kind === "2") {
        const [name, payload] = JSON.parse(data.slice(2));
        onEvent(name, payload);
      } else if (engine === "1" || (engine === "4" && (kind === "1" || kind === "4"))) {
        socket.close();
      }
    }

    function expectSomething() {
      clearTimeout(silence);
      silence = setTimeout(() => socket?.close(), patience);
    }

    function again() {
      if (stopped) return;
      // A random share of the wait, so that a server that comes back is not met by everybody at once.
      timer = setTimeout(open, wait * (0.5 + Math.random() / 2));
      wait = Math.min(2 * wait, LONGEST_WAIT);
    }

    open();
    return () => {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(silence);
      socket?.close();
    };
  }

  window.invokeaiSaas.listen = listen;
})();

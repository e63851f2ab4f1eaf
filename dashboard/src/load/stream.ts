// The live stream: one connection for each page. It resumes where it stopped, also after sleep, and connects anew when nothing
// arrives.

import { address, fetched, signIn } from "./api";
import { passed } from "./passed";

/** Who listens to the stream. */
export interface Heard {
  message(kind: string, data: unknown): void;
  /** Anything at all came: the connection lives. */
  alive(): void;
  /** The connection is there again after another one. Called before its messages, which may leave out part of what happened between. */
  resumed(): void;
  lost(reason: string): void;
}

const NO_NETWORK = "this device is not connected to a network";

/** After messages that the page could not take, all that the stream tells is asked for, but so often at most. */
const MADE_UP_EACH_MS = 60_000;

/** Attempts to connect come at last so far apart. */
const SLOWEST_MS = 15_000;

/** A stream from which nothing at all has come for so long is taken for dead: the server says something every 15 s. */
const STREAM_DEAD_S = 40;

/** Without a network, a server that has not answered for so long is not reached. */
const NO_NETWORK_AFTER_MS = 5000;

/** Why there is no connection, in words for the head of the page. */
function reasonOf(error: Error): string {
  if (!(error instanceof TypeError)) return error.message;
  return navigator.onLine === false ? NO_NETWORK : "sensorlogd does not answer";
}

/** Messages of a text/event-stream, as far as they are complete; what is left over is returned. */
export function parse(text: string, message: (id: string, kind: string, data: string) => void): string {
  const parts = text.split("\n\n");
  const rest = parts.pop() ?? "";
  for (const part of parts) {
    let [id, kind, data] = ["", "message", ""];
    for (const row of part.split("\n")) {
      const [name, value] = [row.slice(0, row.indexOf(":")), row.slice(row.indexOf(":") + 1).replace(/^ /, "")];
      if (name === "id") id = value;
      else if (name === "event") kind = value;
      else if (name === "data") data += (data ? "\n" : "") + value;
    }
    if (data) message(id, kind, data);
  }
  return rest;
}

/**
 * Takes messages. A fault of the page in taking one is no fault of the connection: it stands on the console, the stream goes on, and what
 * the message told is asked for.
 */
function taker(heard: Heard): (kind: string, data: string) => void {
  let madeUpAt = Number.NEGATIVE_INFINITY;
  return (kind, data) => {
    try {
      heard.message(kind, JSON.parse(data));
    } catch (error) {
      console.error(error);
      if (passed(madeUpAt) < MADE_UP_EACH_MS) return;
      madeUpAt = Date.now();
      heard.resumed();
    }
  };
}

/** Connect to the stream and stay connected, as long as the page is open. */
export function listen(heard: Heard): void {
  let last = "";
  let heardBefore = false;
  let at = 0;
  let failures = 0;
  const take = taker(heard);
  let connection: AbortController | null = null;
  let timer = 0;

  async function open(): Promise<void> {
    window.clearTimeout(timer);
    connection?.abort();
    const controller = new AbortController();
    connection = controller;
    at = Date.now();
    try {
      const answer = await fetch(address("stream", { time: "s", ...(last ? { last_event_id: last } : {}) }), {
        signal: controller.signal,
        headers: { Accept: "text/event-stream" },
      });
      if (answer.status === 401 || answer.status === 403) signIn();
      if (answer.status === 400) last = ""; // it does not know this id
      if (!answer.ok || !answer.body)
        throw new Error(answer.status === 503 ? "sensorlogd is busy" : `sensorlogd answers ${answer.status}`);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      let resumes = heardBefore;
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the connection has ended");
        at = Date.now();
        failures = 0;
        heard.alive();
        if (resumes) heard.resumed();
        resumes = false;
        heardBefore = true;
        rest = parse(rest + value, (id, kind, data) => {
          if (id) last = id;
          take(kind, data);
        });
      }
    } catch (error) {
      if (connection !== controller) return; // another one took its place
      heard.lost(reasonOf(error as Error));
      const wait = Math.min(1000 * 2 ** failures, SLOWEST_MS) * (0.7 + 0.6 * Math.random());
      failures += 1;
      timer = window.setTimeout(() => void open(), wait);
    }
  }

  const reconnect = () => {
    failures = 0;
    void open();
  };
  /** The device has lost its network. That ends no connection to a server on the same device, so that one is asked first. */
  async function judge(): Promise<void> {
    const judged = connection;
    const question = new AbortController();
    const limit = window.setTimeout(() => question.abort(), NO_NETWORK_AFTER_MS);
    try {
      await fetched("status", {}, question.signal);
    } catch {
      if (connection !== judged) return;
      judged?.abort(new Error(NO_NETWORK)); // with a reason of its own, because the head of the page says it
      heard.lost(NO_NETWORK);
    } finally {
      window.clearTimeout(limit);
    }
  }

  // A connection that has died in its sleep never says that it did.
  const checkAlive = () => {
    if (passed(at) > STREAM_DEAD_S * 1000) reconnect();
  };
  window.setInterval(checkAlive, 5000);
  document.addEventListener("visibilitychange", checkAlive);
  window.addEventListener("pageshow", checkAlive);
  window.addEventListener("online", reconnect);
  window.addEventListener("offline", () => void judge());
  void open();
}

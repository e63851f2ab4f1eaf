// The stream: who listens is told what came, that it came back, and why it is gone.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { listen, parse } from "../../src/load/stream";
import { type Asked, type Browser, browser, settle } from "../pretend";

const NO_NETWORK = "lost: this device is not connected to a network";
/** Longer than any attempt to connect is waited for. */
const LONG_MS = 25_000;

let page: Browser;
let heard: string[];

beforeEach(() => {
  page = browser();
  heard = [];
  listen({
    message: (kind, data) => heard.push(`${kind}: ${JSON.stringify(data)}`),
    alive: () => heard.push("alive"),
    resumed: () => heard.push("resumed"),
    lost: (reason) => heard.push(`lost: ${reason}`),
  });
});

/** What has been heard since it was last asked. */
const news = (): string[] => heard.splice(0);

/** The last connection. */
const connection = (): Asked => {
  const last = page.of("stream").at(-1);
  assert.ok(last);
  return last;
};

/** A connection that is open until the test ends it; cut by its signal, as a browser would. */
async function connected(): Promise<{ say(text: string): Promise<void>; end(): Promise<void> }> {
  const { signal, answer } = connection();
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  await answer(
    new ReadableStream<Uint8Array>({
      start: (begun) => {
        body = begun;
        signal?.addEventListener("abort", () => begun.error(signal.reason));
      },
    }),
  );
  return {
    say: async (text) => {
      body?.enqueue(new TextEncoder().encode(text));
      await settle();
      await settle();
    },
    end: async () => {
      body?.close();
      await settle();
      await settle();
    },
  };
}

test("messages are passed on, and a first connection has resumed nothing", async () => {
  const server = await connected();
  await server.say("retry: 3000\n\nid: b-1-5\nevent: latest\ndata: []\n\nid: b-2-6\neve");
  await server.say('nt: events\ndata: [{"id": 1}]\n\n');
  assert.deepEqual(news(), ["alive", "latest: []", "alive", 'events: [{"id":1}]']);
});

test("after a break it continues behind the last message, and says so before any other one", async () => {
  const server = await connected();
  await server.say("id: b-1-5\nevent: latest\ndata: []\n\n");
  await server.end();
  assert.deepEqual(news(), ["alive", "latest: []", "lost: the connection has ended"]);
  await page.timers.pass(LONG_MS);
  assert.equal(connection().query.get("last_event_id"), "b-1-5");
  const again = await connected();
  await again.say("event: gap\ndata: {}\n\n");
  await again.say(": \n\n");
  assert.deepEqual(news(), ["alive", "resumed", "gap: {}", "alive"]);
});

test("a fault of the page in taking a message leaves the connection as it is, is on the console, and has all asked for", async (context) => {
  const said = context.mock.method(console, "error", () => undefined);
  const clock = context.mock.method(Date, "now", () => 1e12);
  page = browser();
  listen({
    message: (kind) => {
      if (kind === "events") throw new TypeError("x is undefined");
      heard.push(kind);
    },
    alive: () => undefined,
    resumed: () => heard.push("resumed"),
    lost: (reason) => heard.push(`lost: ${reason}`),
  });
  const server = await connected();
  const faulty = "event: events\ndata: []\n\n";
  await server.say(`${faulty}${faulty}event: readings\ndata: []\n\n`);
  assert.deepEqual([news(), said.mock.callCount()], [["resumed", "readings"], 2]); // not asked for with each fault
  clock.mock.mockImplementation(() => 1e12 + 60_000);
  await server.say(faulty);
  assert.deepEqual([news(), page.of("stream").length], [["resumed"], 1]);
});

test("attempts that failed before anything was heard are no break", async () => {
  await connection().fail();
  await page.timers.pass(LONG_MS);
  const server = await connected();
  await server.say(": \n\n");
  assert.deepEqual(news(), ["lost: sensorlogd does not answer", "alive"]);
});

test("a lost network is named for as long as it is lost", async () => {
  await connected();
  page.online = false;
  await page.happen("offline");
  await page.of("status")[0]?.fail();
  await settle();
  assert.ok(news().every((word) => word === NO_NETWORK));
  await page.timers.pass(1500);
  await connection().fail();
  assert.deepEqual(news(), [NO_NETWORK]);
  page.online = true;
  await page.happen("online");
  await connection().fail();
  assert.deepEqual(news(), ["lost: sensorlogd does not answer"]);
});

test("without a network a server that says nothing is not reached", async () => {
  await connected();
  page.online = false;
  await page.happen("offline");
  assert.deepEqual(news(), []);
  await page.timers.pass(5000);
  assert.equal(news()[0], NO_NETWORK);
});

test("a connection to a server that is reached without a network stays", async () => {
  const server = await connected();
  page.online = false;
  await page.happen("offline");
  await page.of("status")[0]?.answer({});
  await page.timers.pass(10_000);
  await server.say(": \n\n");
  assert.deepEqual(news(), ["alive"]);
  assert.equal(page.of("stream").length, 1);
});

test("a server that is busy, and one that no longer knows the last message, is asked again", async () => {
  const server = await connected();
  await server.say("id: b-1-5\nevent: latest\ndata: []\n\n");
  await server.end();
  await page.timers.pass(LONG_MS);
  news();
  await connection().answer({}, 503);
  assert.deepEqual(news(), ["lost: sensorlogd is busy"]);
  await page.timers.pass(LONG_MS);
  await connection().answer({}, 400);
  await page.timers.pass(LONG_MS);
  assert.equal(connection().query.get("last_event_id"), null);
});

test("a stream that is denied has the page loaded again, to sign in, but not a page that was loaded just now", async (context) => {
  const age = context.mock.method(performance, "now", () => 59_000);
  await connection().answer({}, 403);
  assert.deepEqual([page.reloads, news()], [0, ["lost: Please sign in again."]]);
  age.mock.mockImplementation(() => 61_000);
  await page.timers.pass(LONG_MS);
  await connection().answer({}, 403);
  assert.equal(page.reloads, 1);
});

test("messages of a stream, in whatever pieces they come", () => {
  const whole = 'retry: 3000\n\n: \n\nid: 1-2\nevent: readings\ndata: [{"a":1}]\n\nid: 3\nevent: events\ndata: []\n\n';
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const messages: string[] = [];
    const rest = parse(whole.slice(0, cut), (id, kind, data) => messages.push(`${id} ${kind} ${data}`));
    parse(rest + whole.slice(cut), (id, kind, data) => messages.push(`${id} ${kind} ${data}`));
    assert.deepEqual(messages, ['1-2 readings [{"a":1}]', "3 events []"]);
  }
});

// What becomes of the answers of the API: a body, a refusal in words, or word that the server was not reached.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiError, ask, json, read, send } from "../../src/load/api";
import { browser } from "../pretend";

const answered = (body: string, status = 200) => json(read(Promise.resolve(new Response(body, { status }))));

test("a good answer is its body", async () => {
  assert.deepEqual(await answered('{"events": []}'), { events: [] });
});

test("a refusal says why and what to do", async () => {
  const refusal = { error: { code: "takes_too_long", message: "this takes too long", hint: "ask for less" } };
  await assert.rejects(answered(JSON.stringify(refusal), 422), (error: ApiError) => {
    assert.deepEqual([error.message, error.code, error.status], ["this takes too long; ask for less", "takes_too_long", 422]);
    return true;
  });
  await assert.rejects(answered("<html>", 502), { message: "status 502", code: "", status: 502 });
});

test("a good answer that was cut off counts as none", async () => {
  for (const body of ['{"events": [{"id": 1', "", "<html>"])
    await assert.rejects(answered(body), { message: "the answer of sensorlogd did not arrive whole", code: "away" });
});

test("a server that is not reached is away; a question that was dropped says so itself", async () => {
  await assert.rejects(json(Promise.reject(new TypeError("Failed to fetch"))), { code: "away" });
  await assert.rejects(json(Promise.reject(new DOMException("", "AbortError"))), { name: "AbortError" });
  const cut = new Response(new ReadableStream({ start: (stream) => stream.error(new DOMException("", "AbortError")) }));
  await assert.rejects(json(read(Promise.resolve(cut))), { name: "AbortError" });
});

test("a question that nobody answers is given up, and counts as not answered", async () => {
  const { asked, timers } = browser();
  const question = ask("events");
  const given = assert.rejects(question, { message: "sensorlogd does not answer", code: "away" });
  await timers.pass(119_000);
  assert.equal(asked[0]?.signal?.aborted, false);
  await timers.pass(1000);
  assert.equal(asked[0]?.signal?.aborted, true);
  await given;
});

test("a change that is not answered is given up, and says that it may have been done", async () => {
  const { asked, timers } = browser();
  const change = assert.rejects(send("undo", { mend: 1 }), { message: /^no answer came; whether it was done is not known/ });
  await timers.pass(119_000);
  assert.equal(asked[0]?.signal?.aborted, false);
  await timers.pass(1000);
  await change;
});

test("a request that is over leaves no timer and no listener behind", async () => {
  const { asked, timers } = browser();
  const controller = new AbortController();
  const question = ask("events", {}, controller.signal);
  assert.equal(timers.count, 1);
  await asked[0]?.answer({ events: [], earlier: null });
  await question;
  const failed = assert.rejects(ask("events"), { code: "away" });
  await asked[1]?.fail();
  await failed;
  assert.equal(timers.count, 0);
  controller.abort();
  assert.equal(asked[0]?.signal?.aborted, false);
});

test("a question that is dropped is dropped at once, also before it is sent", async () => {
  const { asked } = browser();
  for (const early of [true, false]) {
    const controller = new AbortController();
    if (early) controller.abort();
    const question = assert.rejects(ask("events", {}, controller.signal), { name: "AbortError" });
    controller.abort();
    assert.equal(asked.at(-1)?.signal?.aborted, true);
    await question;
  }
});

test("a question has its parameters in the address, relative to the page", async () => {
  const { asked } = browser();
  const question = ask("events", { sensor: "a b", limit: 5 });
  assert.equal(asked[0]?.endpoint, "events");
  assert.equal(asked[0]?.query.toString(), "time=s&sensor=a+b&limit=5");
  await asked[0]?.answer({ events: [], earlier: null });
  assert.deepEqual(await question, { events: [], earlier: null });
});

// What was changed in a range, and what is said when that is not known.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { askMends } from "../../src/load/mends";

let answer: () => Response | Promise<Response>;
beforeEach(() => {
  const window = { setTimeout: () => 0, clearTimeout: () => undefined };
  Object.assign(globalThis, { document: { baseURI: "http://localhost/" }, window, fetch: async () => answer() });
});

test("a question for mends that fails says why, and is not the answer that there are none", async () => {
  answer = () => Response.json({ error: { code: "busy", message: "the database is busy" } }, { status: 503 });
  assert.deepEqual(await askMends(["a.b"], 0, 60), { mends: [], failure: "the database is busy" });
  answer = () => Promise.reject(new TypeError("no connection"));
  assert.match((await askMends(["a.b"], 0, 60)).failure, /does not answer/);
});

test("an answer is the mends of the range", async () => {
  answer = () => Response.json({ mends: [] });
  assert.deepEqual(await askMends(["a.b"], 0, 60), { mends: [], failure: "" });
});

// The stream's messages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../../src/load/stream";

test("messages of a stream, in whatever pieces they come", () => {
  const whole = 'retry: 3000\n\n: \n\nid: 1-2\nevent: readings\ndata: [{"a":1}]\n\nid: 3\nevent: events\ndata: []\n\n';
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const messages: string[] = [];
    const rest = parse(whole.slice(0, cut), (id, kind, data) => messages.push(`${id} ${kind} ${data}`));
    parse(rest + whole.slice(cut), (id, kind, data) => messages.push(`${id} ${kind} ${data}`));
    assert.deepEqual(messages, ['1-2 readings [{"a":1}]', "3 events []"]);
  }
});

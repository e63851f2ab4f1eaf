// Files of saved views: what Export writes is read back, anything else is refused in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { viewsOf } from "../../../src/state/pages/savedviews";

test("what was exported is read back, whatever the names are", () => {
  const panels = [
    { name: "Küche <b>", view: "#/chart?s=a.b", saved: 5 },
    { name: "__proto__", view: "#/" },
  ];
  assert.deepEqual(
    viewsOf(JSON.stringify({ panels })),
    panels.map(({ name, view }) => ({ name, view })),
  );
  assert.deepEqual(viewsOf('{"panels": []}'), []);
});

for (const [text, words] of [
  ["", /not JSON/],
  ["PK\u0003\u0004", /not JSON/],
  ["null", /no "panels"/],
  ["[]", /no "panels"/],
  ['{"panels": {}}', /no "panels"/],
  ['{"panels": [null]}', /view 1/],
  ['{"panels": [{"name": "a", "view": "#/"}, {"name": "b"}]}', /view 2.*nothing was taken/],
  [JSON.stringify({ panels: Array(201).fill({ name: "a", view: "#/" }) }), /201 views; at most 200/],
] as const)
  test(`refused: ${text.slice(0, 40)}`, () => {
    assert.throws(() => viewsOf(text), words);
  });

// Series: which ones a pattern means, to which sensor they belong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Channel, chosen, matches } from "../src/state/series";

for (const [glob, yes, no] of [
  ["[!a].t", "b.t", "a.t"],
  ["[a-c].t", "b.t", "d.t"],
  ["[]x].t", "].t", "y.t"],
  ["[^a].t", "^.t", "b.t"],
  ["[*].t", "*.t", "a.t"],
  ["a[.t", "a[.t", "a.t"],
  ["[!].t", "[!].t", "x.t"],
  ["a+(?).t", "a+(b).t", "aa(b).t"],
] as const)
  test(`the glob ${glob} means what it means to the server`, () => {
    assert.deepEqual([matches(yes, glob), matches(no, glob)], [true, false]);
  });

test("a glob of sensors means all of their channels, as it does to the server", () => {
  const known = ["out1.t", "out12.t"].map((series) => ({ series, retired: null }) as Channel);
  assert.deepEqual(
    chosen(known, ["out?"]).channels.map((channel) => channel.series),
    ["out1.t"],
  );
});

// What is spoken of the time under the cursor.

import assert from "node:assert/strict";
import { test } from "node:test";
import { valuesAt } from "../../../../src/render/chart/picture/gestures";
import { buckets, lineOf } from "../../../state/chart/made";

test("speech tells the values of the lines that are drawn, with their bands", () => {
  const named = (name: string) => ({ ...lineOf(buckets([20.5, 21], { min: [20.5, 20], max: [20.5, 22] })), name });
  const spoken = { lines: [named("a.t"), named("b.t")], hidden: new Set(["b.t"]), since: 0, until: 120, now: 0 };
  assert.match(valuesAt(60, spoken), /^\S+\. a\.t: 21 °C, from 20 to 22$/);
  assert.match(valuesAt(0, { ...spoken, hidden: new Set() }), /a\.t: 20\.5 °C\. b\.t: 20\.5 °C$/);
});

test("a rate is spoken as it is written, not with seventeen digits", () => {
  const rate = { ...lineOf(buckets([100 / 3])), kind: "rate", unit: "W", places: null };
  const spoken = { lines: [rate], hidden: new Set<string>(), since: 0, until: 60, now: 0 };
  assert.match(valuesAt(0, spoken), /: 33\.3333333 W$/);
});

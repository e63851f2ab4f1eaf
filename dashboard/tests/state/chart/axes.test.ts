// From where to where axes reach, and which lines share a picture.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pictures, reachOf, rightsOf } from "../../../src/state/chart/axes";
import { buckets, lineOf } from "./made";

test("what is flagged stays out of the axis, and is counted", () => {
  const one = lineOf(buckets([20, 85, 21], { suspect: [0, 1, 0], fail: [0, 0, 2], missing: [0, 0, 1] }));
  const [low, high] = reachOf([one]);
  assert.ok(low < 20 && low > 15 && high > 21 && high < 30, `${low} ${high}`);
  assert.equal(one.summary.flagged, 4);
});

test("if all is flagged the axis shows it", () => {
  const [low, high] = reachOf([lineOf(buckets([85, 86], { suspect: [1, 1] }))]);
  assert.ok(low < 85 && high > 86);
});

test("units share a picture up to so many, states have their own", () => {
  const of = (unit: string, kind = "gauge") => ({ ...lineOf(buckets([1])), unit, kind });
  const groups = pictures([of("a"), of("b"), of("a"), of("", "state"), of("c")], 2);
  assert.deepEqual(
    groups.map((group) => group.map((one) => one.unit)),
    [["a", "b", "a"], ["c"], [""]],
  );
});

test("room on the right is for the axes of the picture that has the most; states have none", () => {
  const of = (unit: string, kind = "gauge") => ({ ...lineOf(buckets([1])), unit, kind });
  assert.equal(rightsOf([]), 0);
  assert.equal(rightsOf([[of("a"), of("b"), of("a"), of("c")], [of("d")], [of("", "state")]]), 2);
});

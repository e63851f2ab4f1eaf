// What uPlot is given, and when a picture is made anew.

import assert from "node:assert/strict";
import { test } from "node:test";
import { looksOf, optionsOf, type PictureContent } from "../../../../src/render/chart/picture/options";
import { buckets, lineOf } from "../../../state/chart/made";

const shown = (more: Partial<PictureContent> = {}): PictureContent => ({
  lines: [{ ...lineOf(buckets([1])), name: "d", place: 4 }],
  limits: [],
  hidden: new Set(),
  rights: 1,
  ...more,
});

test("a picture whose line has got another colour, or whose room for axes has changed, is made anew", () => {
  const before = looksOf(shown(), false);
  assert.equal(looksOf(shown(), false), before);
  assert.notEqual(looksOf(shown({ lines: shown().lines.map((line) => ({ ...line, place: 3 })) }), false), before);
  assert.notEqual(looksOf(shown({ rights: 2 }), false), before);
  assert.notEqual(looksOf(shown(), true), before);
});

test("what is hidden in other pictures changes nothing in this one", () => {
  const before = looksOf(shown(), false);
  assert.equal(looksOf(shown({ hidden: new Set(["a"]) }), false), before);
  assert.notEqual(looksOf(shown({ hidden: new Set(["d"]) }), false), before);
});

test("the period before is drawn as its line is: of directions points, of states no curve", () => {
  const styles = { getPropertyValue: (name: string) => name };
  Object.assign(globalThis, { devicePixelRatio: 1, document: { documentElement: null }, getComputedStyle: () => styles });
  const curvesOf = (kind: string) => {
    const line = { ...lineOf(buckets([1])), kind };
    const { series } = optionsOf(() => shown({ lines: [{ ...line, before: line }] }), 800);
    return [series[1], series[4]].map((one) => [one?.paths?.length, one?.points?.show]);
  };
  assert.deepEqual(curvesOf("angle"), [
    [0, true],
    [0, true],
  ]);
  assert.deepEqual(curvesOf("state"), [
    [0, false],
    [0, false],
  ]);
  assert.deepEqual(curvesOf("gauge")[1], [undefined, undefined]);
});

// Laws of numbers as text; the same cases as sensorlogd/notation/numbers.py answers (tests/numbers.json holds them for both).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { axis, computed, NOTHING, onScale, places, resolution, text } from "../../src/state/numbers";

test("a reading is the shortest text that gives back the double", () => {
  for (const value of [101325.25, 0.1, 20, -0.5, 1e21, 5e-324, 20.122999999999998]) assert.equal(Number(text(value)), value);
  assert.equal(text(20), "20");
  assert.equal(text(101325.25), "101325.25");
  assert.equal(text(-0), "0");
  assert.equal(text(null), NOTHING);
});

test("Python says the same", () => {
  const cases = JSON.parse(readFileSync("tests/numbers.json", "utf8")) as {
    text: [number, number | null, string][];
    computed: [number, number | null, string][];
    scale: [number, number, string][];
  };
  for (const [value, decimals, wanted] of cases.text) assert.equal(text(value, decimals), wanted);
  for (const [value, decimals, wanted] of cases.computed) assert.equal(computed(value, decimals), wanted);
  for (const [value, step, wanted] of cases.scale) assert.equal(onScale(value, step), wanted);
});

test("a resolution that is known is kept to", () => {
  assert.equal(text(20.04999, 1), "20");
  assert.equal(text(20.06, 1), "20.1");
  assert.equal(text(-0.001, 1), "0");
});

test("the mean of constants is the constant", () => {
  assert.equal(computed(20.122999999999998, resolution([20.123, 20.123])), "20.123");
  assert.equal(computed(0.1 + 0.2, resolution([0.1, 0.2])), "0.3");
  assert.equal(computed(20.12345678912345, null), "20.1234568");
  assert.equal(resolution([20, 21], null, 3), 3);
  assert.equal(resolution([20.12345], null, 3), 5);
  assert.equal(resolution([20.12345], 1, 3), 1);
});

test("places are counted in small numbers, too", () => {
  assert.deepEqual([1, 1.5, 1e-7, 2.5e-8, 1e21].map(places), [0, 1, 7, 9, 0]);
});

test("no two marks of an axis read alike, wherever it lies and however fine it is", () => {
  for (const base of [0, 1, 99999, 101325, 1e6, 123456789])
    for (const step of [0.001, 0.01, 0.25, 1, 50]) {
      const marks = Array.from({ length: 6 }, (_, index) => base + index * step);
      const shown = axis(marks);
      assert.equal(new Set(shown).size, 6, `${base} ${step}: ${shown}`);
      shown.forEach((one, index) => {
        assert.ok(Math.abs(Number(one) - (marks[index] as number)) < step / 2);
      });
    }
  assert.equal(onScale(0.30000000000000004, 0.1), "0.3");
  assert.equal(onScale(1e-17, 0.1), "0");
});

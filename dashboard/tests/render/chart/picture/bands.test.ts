// States as bands: each in the colour that its legend has.

import assert from "node:assert/strict";
import { test } from "node:test";
import type uPlot from "uplot";
import { bands } from "../../../../src/render/chart/picture/bands";
import { buckets, lineOf } from "../../../state/chart/made";

/** What is filled for these lines: with which colour, how opaque, from where on, how high. */
function filled(...lines: ReturnType<typeof lineOf>[]): [string, number, number, number][] {
  const styles = { getPropertyValue: (name: string) => name };
  Object.assign(globalThis, { devicePixelRatio: 1, document: {}, getComputedStyle: () => styles });
  const found: [string, number, number, number][] = [];
  const ctx = {
    fillStyle: "",
    globalAlpha: 1,
    save: () => undefined,
    restore: () => undefined,
    measureText: () => ({ width: 1000 }),
    fillRect: (_left: number, top: number, _wide: number, tall: number) =>
      found.push([ctx.fillStyle, ctx.globalAlpha, Math.round(top), Math.round(tall)]),
  };
  const bbox = { left: 0, top: 0, width: 1000, height: 100 * lines.length };
  bands({ ctx, bbox, valToPos: (at: number) => at } as unknown as uPlot, lines);
  return found;
}

const state = (place: number) => ({ ...lineOf(buckets([1, 1], { kind: "state" })), place });

test("a band has the colour of its line's place on the page, whatever stands above it", () => {
  assert.deepEqual(filled(state(1), state(4)), [
    ["--c2", 1, 15, 70],
    ["--c5", 1, 115, 70],
  ]);
});

test("the period before is a low, pale band below that of the line", () => {
  assert.deepEqual(filled({ ...state(1), before: state(1) }), [
    ["--c2", 1, 10, 50],
    ["--c2", 0.4, 68, 22],
  ]);
});

// States as bands: each in the colour that its legend has.

import assert from "node:assert/strict";
import { test } from "node:test";
import type uPlot from "uplot";
import { bands } from "../../src/render/chart/picture/bands";
import { buckets, drawn } from "../state/chart/made";

test("a band has the colour of its line's place on the page, whatever stands above it", () => {
  const styles = { getPropertyValue: (name: string) => name };
  Object.assign(globalThis, { devicePixelRatio: 1, document: {}, getComputedStyle: () => styles });
  const filled: [string, number][] = [];
  const ctx = {
    fillStyle: "",
    save: () => undefined,
    restore: () => undefined,
    measureText: () => ({ width: 1000 }),
    fillRect: (_left: number, top: number) => filled.push([ctx.fillStyle, top]),
  };
  const bbox = { left: 0, top: 0, width: 1000, height: 200 };
  const state = (place: number) => ({ ...drawn(buckets([1, 1], { kind: "state" })), place });
  bands({ ctx, bbox, valToPos: (at: number) => at } as unknown as uPlot, [state(1), state(4)]);
  assert.deepEqual(filled, [
    ["--c2", 15],
    ["--c5", 115],
  ]);
});

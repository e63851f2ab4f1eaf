// Colours of lines stay apart for people who see no red or no green, and stand out from the ground.
// Simulation: Machado, Oliveira, Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

type Three = [number, number, number];
const SEEN: Record<string, Three[]> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};
const TELLABLE = 25; // CIE76; 2.3 is just noticeable side by side

const linear = (hex: string): Three =>
  [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)) as Three;
const dot = (row: Three, of: Three): number => row[0] * of[0] + row[1] * of[1] + row[2] * of[2];

function lab(rgb: Three): Three {
  const clipped = rgb.map((one) => Math.min(Math.max(one, 0), 1)) as Three;
  const f = (one: number) => (one > 0.008856 ? Math.cbrt(one) : 7.787 * one + 16 / 116);
  const [x, y, z] = [
    f(dot([0.4124, 0.3576, 0.1805], clipped) / 0.9505),
    f(dot([0.2126, 0.7152, 0.0722], clipped)),
    f(dot([0.0193, 0.1192, 0.9505], clipped) / 1.089),
  ];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const css = readFileSync("src/render/style/colours.css", "utf8");
const schemes = css.split("@media (prefers-color-scheme: dark)");
const named = (part: string, name: string): string => new RegExp(`--${name}: (#[0-9a-f]+)`).exec(part)?.[1] ?? "";
const long = (hex: string): string => (hex.length === 4 ? `#${[...hex.slice(1)].map((one) => one + one).join("")}` : hex);

for (const [index, name] of ["light", "dark"].entries())
  test(`eight colours can be told apart, ${name}`, () => {
    const part = schemes[index] ?? "";
    const colours = Array.from({ length: 8 }, (_, at) => named(part, `c${at + 1}`));
    const ground = dot([0.2126, 0.7152, 0.0722], linear(long(named(part, "card"))));
    for (const [at, one] of colours.entries()) {
      const own = dot([0.2126, 0.7152, 0.0722], linear(one));
      assert.ok((Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05) >= 3, `${one} on its ground`);
      for (const other of colours.slice(at + 1))
        for (const [kind, matrix] of Object.entries(SEEN)) {
          const [a, b] = [one, other].map((hex) => lab(matrix.map((row) => dot(row, linear(hex))) as Three)) as [Three, Three];
          assert.ok(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) > TELLABLE, `${one} ${other} ${kind}`);
        }
    }
  });

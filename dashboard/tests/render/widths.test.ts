// The widths by which the script decides are those by which the style does.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { axesThatFit, isNarrow, NARROW_PX } from "../../src/render/widths";

const STYLES = "src/render/style";

test("every width at which the style changes is that of a narrow window", () => {
  const styles = readdirSync(STYLES).map((name) => readFileSync(`${STYLES}/${name}`, "utf8"));
  const widths = styles.flatMap((css) => [...css.matchAll(/@media[^{]*width[^{]*/g)].map(([media]) => media.trim()));
  assert.deepEqual(widths, [`@media (max-width: ${NARROW_PX}px)`]);
});

test("a window as wide as the style's limit is narrow, as it is for the style", () => {
  const at = (innerWidth: number) => {
    Object.defineProperty(globalThis, "window", { value: { innerWidth }, configurable: true });
    return [isNarrow(), axesThatFit()];
  };
  assert.deepEqual([640, 641, 899, 900].map(at), [
    [true, 2],
    [false, 2],
    [false, 2],
    [false, 3],
  ]);
});

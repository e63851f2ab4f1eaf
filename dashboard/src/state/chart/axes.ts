// Which lines share a picture, and from where to where its axes reach.

import type { Line } from "./lines";

/** Lines that share a picture: by unit, at most `axes` units in one; all states together in one of their own, the last. */
export function pictures(lines: readonly Line[], axes: number): Line[][] {
  const units = [...new Set(lines.filter((line) => line.kind !== "state").map((line) => line.unit))];
  const groups: Line[][] = [];
  for (let at = 0; at < units.length; at += axes) {
    const own = units.slice(at, at + axes);
    groups.push(lines.filter((line) => line.kind !== "state" && own.includes(line.unit)));
  }
  const states = lines.filter((line) => line.kind === "state");
  if (states.length) groups.push(states);
  return groups;
}

/** Axes on the right of the picture that has the most; the first unit has its axis on the left, states have none. */
export const rightsOf = (groups: readonly (readonly Line[])[]): number =>
  Math.max(0, ...groups.map((group) => new Set(group.filter((line) => line.kind !== "state").map((line) => line.unit)).size - 1));

const NEAR = 0.5; // of what the lines span: an axis reaches as far as to a limit that is no further away

/** Where all values are one: what that spans, as a share of it, for limits that are near. */
const SPAN_OF_ONE = 0.1;
/** Room above and below the lines: a share of what they span; where all values are one a share of it, and this much at least. */
const PAD = 0.06;
const PAD_OF_ONE = 0.05;
const LEAST_PAD = 0.5;

/** From where to where an axis reaches: what is flagged stays out of it, unless there is nothing else; a limit that is near is in it. */
export function reachOf(lines: readonly Line[], limits: readonly number[] = []): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const flagged of [false, true]) {
    for (const line of lines)
      line.time.forEach((_, row) => {
        if (!flagged && (line.suspect[row] ?? 0) > 0) return;
        const [min, max] = [line.low[row], line.high[row]];
        if (typeof min === "number" && min < low) low = min;
        if (typeof max === "number" && max > high) high = max;
      });
    if (low <= high) break;
  }
  for (const line of lines)
    for (const value of line.before?.mid ?? []) {
      if (value !== null && value < low) low = value;
      if (value !== null && value > high) high = value;
    }
  if (low > high) return [0, 1];
  if (lines.length && lines.every((line) => line.kind === "angle")) return [0, 360];
  const near = (high - low || Math.abs(high) * SPAN_OF_ONE) * NEAR;
  const [least, most] = [low - near, high + near];
  for (const limit of limits) {
    if (limit < low && limit >= least) low = limit;
    if (limit > high && limit <= most) high = limit;
  }
  const pad = (high - low) * PAD || Math.max(Math.abs(high) * PAD_OF_ONE, LEAST_PAD);
  const floor = low >= 0 && low - pad < 0 ? Math.min(0, low) : low - pad;
  return [floor, high + pad];
}

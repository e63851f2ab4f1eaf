// The small curve of the last hour as a path of SVG.

import type { Curve } from "./model";

const HOUR_S = 3600;
/** Room beside, above and below the curve: half of its width. */
const RIM = 2;

/** How large the picture is, in units of its viewBox. */
export interface Size {
  width: number;
  height: number;
}

/**
 * The path of a curve over the hour before its last point, from its lowest value at the foot to its highest; in the middle if all are
 * alike. Two points are joined unless they are further apart than `maxGap_s`. Empty: there is no value.
 */
export function pathOf(curve: Curve, maxGap_s: number, { width, height }: Size): string {
  const values = curve.value.filter((value): value is number => value !== null);
  if (!values.length) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const until = curve.time.at(-1) as number;
  const since = Math.min(until - HOUR_S, curve.time[0] as number);
  const x = (at: number) => ((at - since) / (until - since)) * (width - 2 * RIM) + RIM;
  const y = (value: number) =>
    high === low ? height / 2 : height - 2 * RIM - ((value - low) / (high - low)) * (height - 4 * RIM);
  let path = "";
  let before: number | null = null;
  curve.time.forEach((at, row) => {
    const value = curve.value[row];
    if (value === null || value === undefined) return;
    const begins = before === null || at - before > maxGap_s;
    path += `${begins ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}${begins ? "h.01" : ""}`;
    before = at;
  });
  return path;
}

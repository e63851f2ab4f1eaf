// What a chart draws, from what the API answers: columns on one time, gaps, flags, ranges of axes, summaries for the legend.

import type { Buckets } from "../load/types";
import { resolution } from "./numbers";
import { type Channel, rate, seconds, seriesOf } from "./series";

type Column = (number | null)[];
/** The buckets of one series as columns, which all have the length of `time`; those that were not asked for are missing. */
export type BucketColumns = Buckets & {
  time: number[];
  mean?: Column;
  min?: Column;
  max?: Column;
  last?: Column;
  increase?: Column;
  suspect?: Column;
  fail?: Column;
  missing?: Column;
  resultant?: Column;
};

/** What is drawn of one series. */
export interface Line {
  name: string;
  unit: string;
  kind: string;
  decimals: number | null;
  /** Decimal places of the readings, by which computed values are rounded; null: not known. */
  places: number | null;
  /** Seconds. */
  step: number;
  valid: readonly (number | null)[] | null;
  time: number[];
  mid: Column;
  low: Column;
  high: Column;
  /** Readings flagged suspect, and those flagged fail or without a value, of each step. */
  suspect: number[];
  wrong: number[];
  /** The values of the period before, shifted to the times of this one. */
  before: Column | null;
  summary: Summary;
}

/** What the legend says of a line, over its whole range. */
export interface Summary {
  min: number | null;
  mean: number | null;
  max: number | null;
  last: number | null;
  flagged: number;
}

/** One series ready to be drawn. A counter is its rate, unless `totals`. */
export function line(
  buckets: BucketColumns,
  channel: Channel | undefined,
  totals: boolean,
  now: number,
  before?: BucketColumns,
  shift = 0,
): Line {
  const counts = buckets.kind === "counter" && !totals && buckets.increase !== undefined;
  const step = seconds(buckets.step) || 1;
  const shown = counts ? rate(buckets.unit) : { unit: buckets.unit, factor: 1 };
  // The last step has only begun: what it counted is shared out over what there has been of it.
  const rates = (buckets: BucketColumns): Column =>
    (buckets.increase ?? []).map((value, row) => {
      const lasted = Math.min(step, now - (buckets.time[row] as number));
      return value === null || lasted < step / 5 ? null : (value * shown.factor) / lasted;
    });
  const mid = counts
    ? rates(buckets)
    : buckets.kind === "state" || buckets.kind === "counter"
      ? (buckets.last ?? buckets.mean ?? [])
      : (buckets.mean ?? []);
  const number = (column: Column | undefined) => buckets.time.map((_, row) => Number(column?.[row] ?? 0));
  const missing = number(buckets.missing);
  const wrong = number(buckets.fail).map((value, row) => value + (missing[row] ?? 0));
  const drawn: Line = {
    name: seriesOf(buckets),
    unit: shown.unit,
    kind: counts ? "rate" : buckets.kind,
    places: counts
      ? null
      : resolution(
          [...(buckets.min ?? []).slice(0, 200), ...(buckets.max ?? []).slice(0, 200)],
          channel?.decimals,
          channel?.seen_decimals,
        ),
    step,
    decimals: counts ? null : (channel?.decimals ?? null),
    valid: counts ? null : (channel?.valid ?? null),
    time: buckets.time,
    mid,
    low: counts ? mid : (buckets.min ?? mid),
    high: counts ? mid : (buckets.max ?? mid),
    suspect: number(buckets.suspect),
    wrong,
    before: null,
    summary: { min: null, mean: null, max: null, last: null, flagged: 0 },
  };
  if (before) {
    const past = counts ? rates(before) : (before.mean ?? []);
    const at = new Map(before.time.map((time, row) => [Math.round((time + shift) / step), past[row] ?? null]));
    drawn.before = drawn.time.map((time) => at.get(Math.round(time / step)) ?? null);
  }
  drawn.summary = summaryOf(drawn, buckets);
  return drawn;
}

/** Of the readings that are not known to be wrong; the mean is that of readings, not of steps. */
function summaryOf(of: Line, buckets: BucketColumns): Summary {
  let sum = 0;
  let weight = 0;
  const result: Summary = { min: null, mean: null, max: null, last: null, flagged: 0 };
  of.time.forEach((_, row) => {
    result.flagged += (of.suspect[row] ?? 0) + (of.wrong[row] ?? 0);
    const value = of.mid[row];
    if (value === null || value === undefined) return;
    const count = of.kind === "rate" ? 1 : Number(buckets.count?.[row] ?? 1);
    sum += value * count;
    weight += count;
    const low = of.low[row] ?? value;
    const high = of.high[row] ?? value;
    result.min = result.min === null ? low : Math.min(result.min, low);
    result.max = result.max === null ? high : Math.max(result.max, high);
    result.last = of.kind === "rate" ? value : (buckets.last?.[row] ?? value);
  });
  if (of.kind !== "angle" && of.kind !== "state" && weight) {
    // Rounding of the sum must not leave what all readings of it were.
    result.mean = result.min !== null && result.max !== null ? Math.min(Math.max(sum / weight, result.min), result.max) : null;
  }
  if (of.kind === "angle") result.min = result.max = null;
  return result;
}

const NEAR = 0.5; // of what the lines span: an axis reaches as far as to a limit that is no further away

/** From where to where an axis reaches: what is flagged stays out of it, unless there is nothing else; a limit that is near is in it. */
export function range(lines: readonly Line[], limits: readonly number[] = []): [number, number] {
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
    for (const value of line.before ?? []) {
      if (value !== null && value < low) low = value;
      if (value !== null && value > high) high = value;
    }
  if (low > high) return [0, 1];
  if (lines.length && lines.every((line) => line.kind === "angle")) return [0, 360];
  const near = (high - low || Math.abs(high) * 0.1) * NEAR;
  const [least, most] = [low - near, high + near];
  for (const limit of limits) {
    if (limit < low && limit >= least) low = limit;
    if (limit > high && limit <= most) high = limit;
  }
  const pad = (high - low) * 0.06 || Math.max(Math.abs(high) * 0.05, 0.5);
  const floor = low >= 0 && low - pad < 0 ? Math.min(0, low) : low - pad;
  return [floor, high + pad];
}

/** Columns of all lines on one time: mid, low, high, before of each; null where a series was silent for longer than its heartbeat. */
export function align(
  lines: readonly Line[],
  maxGaps: readonly number[],
): { time: number[]; columns: (number | null | undefined)[][] } {
  const times = new Set<number>();
  const gaps: Set<number>[] = lines.map(() => new Set());
  lines.forEach((line, index) => {
    let last: number | null = null;
    line.time.forEach((at, row) => {
      if (line.mid[row] === null && line.high[row] === null && !line.before) return;
      const spoke = typeof line.mid[row] === "number";
      if (spoke && last !== null && at - last > (maxGaps[index] ?? 60)) {
        const between = (at + last) / 2;
        times.add(between);
        gaps[index]?.add(between);
      }
      if (spoke) last = at;
      times.add(at);
    });
  });
  const time = [...times].sort((a, b) => a - b);
  const place = new Map(time.map((at, index) => [at, index]));
  const columns = lines.flatMap((line, index) => {
    const own: (number | null | undefined)[][] = [line.mid, line.low, line.high, line.before ?? []].map(() =>
      new Array(time.length).fill(undefined),
    );
    line.time.forEach((at, row) => {
      const where = place.get(at);
      if (where === undefined) return;
      for (const [column, from] of [line.mid, line.low, line.high, line.before ?? []].entries()) {
        const value = from[row];
        if (value !== null && value !== undefined) (own[column] as (number | null | undefined)[])[where] = value;
      }
    });
    for (const at of gaps[index] ?? []) {
      const where = place.get(at) as number;
      for (const column of [0, 1, 2]) (own[column] as (number | null | undefined)[])[where] = null;
    }
    return own;
  });
  return { time, columns };
}

/** The row with a value that is nearest to a time, at most `step` seconds from it; null if there is none. */
export function rowAt(line: Line, at: number, step: number): number | null {
  let low = 0;
  let high = line.time.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((line.time[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  let best: number | null = null;
  for (const row of [low - 1, low, low + 1]) {
    const time = line.time[row];
    if (time === undefined || line.mid[row] === null || line.mid[row] === undefined) continue;
    if (Math.abs(time - at) <= step && (best === null || Math.abs(time - at) < Math.abs((line.time[best] as number) - at)))
      best = row;
  }
  return best;
}

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

/** The series from `since` on, with its last steps replaced by those in `tail`. */
export function joined(old: BucketColumns, tail: BucketColumns, since: number): BucketColumns {
  const from = tail.time[0] ?? Number.POSITIVE_INFINITY;
  const keep = old.time.map((at) => at >= since && at < from);
  const buckets: Record<string, unknown> = { ...tail, since: old.since };
  for (const [name, column] of Object.entries(old)) {
    if (!Array.isArray(column) || name === "notes" || column.length !== old.time.length) continue;
    const added = (tail as unknown as Record<string, unknown>)[name];
    buckets[name] = [...column.filter((_, row) => keep[row]), ...(Array.isArray(added) ? added : [])];
  }
  return buckets as unknown as BucketColumns;
}

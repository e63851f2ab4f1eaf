// A line: what a chart draws of one series, and what the legend says of it.

import type { BucketColumns, Column } from "../columns";
import { resolution } from "../numbers";
import { type Channel, rate, seconds, seriesOf } from "../series";

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

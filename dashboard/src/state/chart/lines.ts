// A line: what a chart draws of one series, and what the legend says of it.

import type { BucketColumns, Column } from "../columns";
import type { ChartData } from "../model";
import { resolution } from "../numbers";
import { type Channel, rate, seconds, seriesOf } from "../series";
import { endOf, shifted } from "./steps";

/** A series whose channel is not known, a former one, may be silent for so long before that is a gap. */
const HEARTBEAT_S = 60;
/** Two points are a gap when they are further apart than the heartbeat and this many steps: a step and what rounding may add. */
const STEPS_OF_A_GAP = 1.01;
/** Minima and maxima that are looked at for the decimal places of readings: more would tell no more. */
const LOOKED_AT = 200;
/** A step that has lasted for less than this share of its length has no rate yet: a single reading would be a spike. */
const FIRST_SHARE = 0.2;

/** What is drawn of one series. */
export interface Line {
  name: string;
  unit: string;
  kind: string;
  /** Its place among all lines of the page: for its colour and its dashes. */
  place: number;
  decimals: number | null;
  /** Decimal places of the readings, by which computed values are rounded; null: not known. */
  places: number | null;
  /** Seconds. */
  step: number;
  /** Seconds between two points that are not yet a gap. */
  maxGap: number;
  valid: readonly (number | null)[] | null;
  time: number[];
  mid: Column;
  low: Column;
  high: Column;
  /** Readings flagged suspect, and those flagged fail or without a value, of each step. */
  suspect: number[];
  wrong: number[];
  /** The line of the period before, moved to the time of this one. */
  before: Line | null;
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

/** How a series is to be drawn. */
export interface Drawing {
  /** Counters as their sum, not as a rate. */
  totals: boolean;
  /** When its buckets were asked for, in seconds since 1970 of the server: a step that ends later was not over. */
  asked: number;
  place: number;
  /** The same series one period earlier, and the length of that, in seconds. */
  before?: BucketColumns | undefined;
  shift?: number;
}

/** One series ready to be drawn. A counter is its rate, unless `totals`. `channel`: undefined if nothing is known of it. */
export function line(buckets: BucketColumns, channel: Channel | undefined, how: Drawing): Line {
  const counts = buckets.kind === "counter" && !how.totals && buckets.increase !== undefined;
  const step = seconds(buckets.step) || 1;
  const shown = counts ? rate(buckets.unit) : { unit: buckets.unit, factor: 1 };
  const rates = counts ? ratesOf(buckets, shown.factor, how.asked) : null;
  const values = buckets.kind === "state" || buckets.kind === "counter" ? (buckets.last ?? buckets.mean) : buckets.mean;
  const mid = rates?.rates ?? values ?? [];
  const number = (column: Column | undefined) => buckets.time.map((_, row) => Number(column?.[row] ?? 0));
  const missing = number(buckets.missing);
  const made: Line = {
    name: seriesOf(buckets),
    unit: shown.unit,
    kind: counts ? "rate" : buckets.kind,
    place: how.place,
    places: counts ? null : placesOf(buckets, channel),
    step,
    maxGap: Math.max(channel?.heartbeat_s ?? HEARTBEAT_S, 0) + seconds(buckets.step) * STEPS_OF_A_GAP,
    decimals: counts ? null : (channel?.decimals ?? null),
    valid: counts ? null : (channel?.valid ?? null),
    time: buckets.time,
    mid,
    low: counts ? mid : (buckets.min ?? mid),
    high: counts ? mid : (buckets.max ?? mid),
    suspect: number(buckets.suspect),
    wrong: number(buckets.fail).map((value, row) => value + (missing[row] ?? 0)),
    before: how.before ? past(line(how.before, channel, { ...how, before: undefined }), how.before.step, how.shift ?? 0) : null,
    summary: { min: null, mean: null, max: null, last: null, flagged: 0 },
  };
  made.summary = summaryOf(made, buckets, rates?.lasted_s ?? null);
  return made;
}

/** The lines of an answer, in its order. `known`: the channels that are known; `totals`: counters as their sum. */
export function linesOf(data: ChartData, known: readonly Channel[], totals: boolean): Line[] {
  const before = new Map(data.before.map((buckets) => [seriesOf(buckets), buckets]));
  const shift = data.until - data.since;
  return data.series.map((buckets, place) => {
    const name = seriesOf(buckets);
    const channel = known.find((channel) => channel.series === name);
    return line(buckets, channel, { totals, asked: data.asked, place, before: before.get(name), shift });
  });
}

/** Those of the lines that are not hidden. */
export const shownOf = (lines: readonly Line[], hidden: ReadonlySet<string>): Line[] =>
  lines.filter((line) => !hidden.has(line.name));

/** The line of a period before, drawn `shift` seconds later. `step`: of its buckets, as the API writes it. */
const past = (line: Line, step: string, shift: number): Line => ({
  ...line,
  time: line.time.map((at) => shifted(at, step, shift)),
});

/**
 * What a counter rose by in each step, over the length of it: up to the next step, or up to its own end where steps without
 * readings are left out. A step that was not over when it was asked for is shared out over what there had been of it; where the
 * range ends does not matter, as the API answers whole steps. `lasted_s`: how long that was of each step, in seconds.
 */
function ratesOf(buckets: BucketColumns, factor: number, asked: number): { rates: Column; lasted_s: number[] } {
  const lengths = buckets.time.map((start, row) => {
    const end = Math.min(endOf(start, buckets.step), buckets.time[row + 1] ?? Number.POSITIVE_INFINITY);
    return { whole: end - start, lasted: Math.min(end, asked) - start };
  });
  const rates = lengths.map(({ whole, lasted }, row) => {
    const value = buckets.increase?.[row] ?? null;
    return value === null || lasted < whole * FIRST_SHARE ? null : (value * factor) / lasted;
  });
  return { rates, lasted_s: lengths.map(({ lasted }) => lasted) };
}

const placesOf = (buckets: BucketColumns, channel: Channel | undefined): number | null =>
  resolution(
    [...(buckets.min ?? []).slice(0, LOOKED_AT), ...(buckets.max ?? []).slice(0, LOOKED_AT)],
    channel?.decimals,
    channel?.seen_decimals,
  );

/**
 * Of the readings that are not known to be wrong; the mean is that of readings, not of steps. That of a rate is that over all of its
 * time. `lasted_s`: how long each step of a rate lasted, in seconds; null: the line is no rate.
 */
function summaryOf(of: Line, buckets: BucketColumns, lasted_s: readonly number[] | null): Summary {
  let sum = 0;
  let weight = 0;
  const result: Summary = { min: null, mean: null, max: null, last: null, flagged: 0 };
  of.time.forEach((_, row) => {
    result.flagged += (of.suspect[row] ?? 0) + (of.wrong[row] ?? 0);
    const value = of.mid[row];
    if (value === null || value === undefined) return;
    const share = lasted_s ? (lasted_s[row] ?? 0) : Number(buckets.count?.[row] ?? 1);
    sum += value * share;
    weight += share;
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

// Consumption by hour, day and month; a year of days; a wind rose.

import type { Cost } from "../load/types";
import type { Buckets } from "./frame";
import { day, MONTHS } from "./words";

/** How wide a bar is. */
export type By = "1h" | "1d" | "1mo";

/** Each width of a bar, its name, and the name of the period that a chart of such bars shows. */
export const BYS: readonly (readonly [By, string, string])[] = [
  ["1h", "hour", "day"],
  ["1d", "day", "month"],
  ["1mo", "month", "year"],
];

/** The calendar period that a chart of bars shows: a day of hours, a month of days, a year of months. `at`: any time within. */
export function period(by: By, at: number): [number, number] {
  const date = new Date(at * 1000);
  const [year, month, today] = [date.getFullYear(), date.getMonth(), date.getDate()];
  const ends =
    by === "1h"
      ? [new Date(year, month, today), new Date(year, month, today + 1)]
      : by === "1d"
        ? [new Date(year, month, 1), new Date(year, month + 1, 1)]
        : [new Date(year, 0, 1), new Date(year + 1, 0, 1)];
  return [(ends[0] as Date).getTime() / 1000, (ends[1] as Date).getTime() / 1000];
}

/** The name of a period that begins at `since`. */
export function title(by: By, since: number): string {
  const date = new Date(since * 1000);
  return by === "1h" ? day(since) : by === "1d" ? `${MONTHS[date.getMonth()]} ${date.getFullYear()}` : String(date.getFullYear());
}

/** The name of the bar that begins at `at`, short. */
export function label(by: By, at: number): string {
  const date = new Date(at * 1000);
  return by === "1h"
    ? String(date.getHours()).padStart(2, "0")
    : by === "1d"
      ? String(date.getDate())
      : (MONTHS[date.getMonth()] ?? "");
}

/** One bar for each counter, all of the same time; null: nothing is known of it. `at`: seconds since 1970. */
export interface Bar {
  at: number;
  label: string;
  values: (number | null)[];
}

/** The same for a bar and the bucket that it shows; of the hour that comes twice in autumn the two differ. */
const keyOf = (by: By, at: number): string => `${label(by, at)} ${by === "1h" ? new Date(at * 1000).getTimezoneOffset() : ""}`;

/** A bar a step, whether something was counted in it or not. */
export function barsOf(counted: readonly Buckets[], by: By, since: number, until: number): Bar[] {
  const columns = counted.map(
    (buckets) => new Map(buckets.time.map((time, row) => [keyOf(by, time), buckets.increase?.[row] ?? null])),
  );
  const bars: Bar[] = [];
  let at = since;
  while (at < until && bars.length < 62) {
    const key = keyOf(by, at);
    bars.push({ at, label: label(by, at), values: columns.map((column) => column.get(key) ?? null) });
    const date = new Date(at * 1000);
    const next =
      by === "1h"
        ? at + 3600
        : new Date(
            date.getFullYear(),
            date.getMonth() + (by === "1mo" ? 1 : 0),
            by === "1mo" ? 1 : date.getDate() + 1,
          ).getTime() / 1000;
    at = next;
  }
  return bars;
}

/** What each bar cost, in money, by the time that it begins `at`. */
export function costs(
  of: Cost | undefined,
  by: By,
): { at: (begin: number) => number | undefined; sum: number; unpriced: number } {
  const known = new Map((of?.time ?? []).map((at, row) => [keyOf(by, at), of?.cost[row] ?? 0]));
  const total = (column: readonly number[] | undefined) => (column ?? []).reduce((sum, item) => sum + item, 0);
  return { at: (begin) => known.get(keyOf(by, begin)), sum: total(of?.cost), unpriced: total(of?.unpriced) };
}

/** The sixteen directions of a rose, clockwise from north. */
export const SECTORS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"];

/** How often the wind blew from each sector, and how fast. */
export interface Rose {
  /** Shares of all steps: by sector, by class of speed. */
  shares: number[][];
  /** Upper ends of the classes; the last one is open. */
  limits: number[];
  calm: number;
  steps: number;
}

/** How often the wind came from where and how fast. Calm: below a fiftieth of the fastest. */
export function rose(speed: Buckets, direction: Buckets, classes = 5): Rose {
  const speeds = new Map(speed.time.map((time, row) => [time, speed.mean?.[row] ?? null]));
  const pairs: [number, number][] = [];
  direction.time.forEach((time, row) => {
    const [fast, from] = [speeds.get(time), direction.mean?.[row]];
    if (typeof fast === "number" && typeof from === "number") pairs.push([fast, from]);
  });
  const fastest = pairs.reduce((most, [fast]) => Math.max(most, fast), 0);
  const width = nice(fastest / classes || 1);
  const limits = Array.from({ length: classes }, (_, index) => Number(((index + 1) * width).toPrecision(6)));
  const shares = SECTORS.map(() => new Array<number>(classes).fill(0));
  let calm = 0;
  for (const [fast, from] of pairs) {
    if (fast < fastest / 50) {
      calm += 1 / pairs.length;
      continue;
    }
    const sector = shares[Math.round(from / 22.5) % 16] as number[];
    const kind = Math.min(Math.floor(fast / width), classes - 1);
    sector[kind] = (sector[kind] ?? 0) + 1 / pairs.length;
  }
  return { shares, limits, calm, steps: pairs.length };
}

/** The next of 1, 1.5, 2, 2.5, 3, 4, 5 and their tenfolds. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const round of [1, 1.5, 2, 2.5, 3, 4, 5, 10]) if (round * power >= value * (1 - 1e-9)) return round * power;
  return 10 * power;
}

/** Where a value stands among others, 0 to 1, for colours. */
export const share = (value: number, low: number, high: number): number => (high > low ? (value - low) / (high - low) : 0.5);

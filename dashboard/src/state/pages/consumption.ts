// Consumption by hour, day and month: periods, bars, costs.

import type { Cost } from "../../load/types";
import type { BucketColumns } from "../columns";
import { seriesOf } from "../series";
import { day, MONTHS } from "../words";

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
export function periodName(by: By, since: number): string {
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

/** What a counter rose by in a step; null: nothing is known of it. `at`: seconds since 1970. */
export interface Bar {
  at: number;
  label: string;
  value: number | null;
}

/** The same for a bar and the bucket that it shows; of the hour that comes twice in autumn the two differ. */
const barKey = (by: By, at: number): string => `${label(by, at)} ${by === "1h" ? new Date(at * 1000).getTimezoneOffset() : ""}`;

/** More bars than these are not drawn: those of two months of days. No period that can be chosen has more. */
const MOST_BARS = 62;

/** A bar a step in [since, until), whether something was counted in it or not. What was counted outside is left out. */
export function barsOf(counted: BucketColumns, by: By, since: number, until: number): Bar[] {
  const known = new Map<string, number | null>();
  counted.time.forEach((time, row) => {
    if (time >= since && time < until) known.set(barKey(by, time), counted.increase?.[row] ?? null);
  });
  const bars: Bar[] = [];
  let at = since;
  while (at < until && bars.length < MOST_BARS) {
    bars.push({ at, label: label(by, at), value: known.get(barKey(by, at)) ?? null });
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

/** What a counter cost by the prices of the configuration; undefined: it has none. */
export const costOf = (all: readonly Cost[], counted: BucketColumns): Cost | undefined =>
  all.find((cost) => cost.series === seriesOf(counted));

/** What each bar cost, in money, by the time that it begins `at`. */
export function costs(
  of: Cost | undefined,
  by: By,
): { at: (begin: number) => number | undefined; sum: number; unpriced: number } {
  const known = new Map((of?.time ?? []).map((at, row) => [barKey(by, at), of?.cost[row] ?? 0]));
  const total = (column: readonly number[] | undefined) => (column ?? []).reduce((sum, item) => sum + item, 0);
  return { at: (begin) => known.get(barKey(by, begin)), sum: total(of?.cost), unpriced: total(of?.unpriced) };
}

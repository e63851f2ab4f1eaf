// A year of days: when each of them is, and its value.

import type { BucketColumns } from "../columns";
import { day } from "../words";

/** A day of a year. */
export interface Day {
  /** YYYY-MM-DD. */
  date: string;
  /** Its length in seconds: 23, 24 or 25 hours. */
  range: number;
  /** When it ends, in seconds since 1970. */
  until: number;
}

/** All days of a year, the first one first. */
export function daysOf(year: number): Day[] {
  const begin = (index: number): number => new Date(year, 0, index + 1).getTime() / 1000;
  const noon = (index: number): number => new Date(year, 0, index + 1, 12).getTime() / 1000;
  const days: Day[] = [];
  for (let index = 0; new Date(year, 0, index + 1).getFullYear() === year; index += 1)
    days.push({ date: day(noon(index)), range: begin(index + 1) - begin(index), until: begin(index + 1) });
  return days;
}

/** The days that have a value, by their dates: by how much a counter rose, otherwise the mean. */
export function valuesOfDays(buckets: BucketColumns): Map<string, number> {
  const column = (buckets.kind === "counter" ? buckets.increase : buckets.mean) ?? [];
  const days = new Map<string, number>();
  buckets.time.forEach((time, row) => {
    const value = column[row];
    // An hour later is the same day, also where the clocks are put back at midnight.
    if (typeof value === "number") days.set(day(time + 3600), value);
  });
  return days;
}

// The buckets of a series as columns, as the API answers them, and a live one extended by its last steps.

import type { Buckets } from "../load/types";

/** A value for each step; null: there is none. */
export type Column = (number | null)[];
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

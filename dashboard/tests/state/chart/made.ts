// Answers of the API, as the tests make them.

import { line } from "../../../src/state/chart/lines";
import type { BucketColumns } from "../../../src/state/columns";
import type { ChartData } from "../../../src/state/model";

/** Seconds between two buckets. */
export const STEP = 60;

/** The answer for a temperature with these means, one a minute from 1970 on. */
export function buckets(mean: (number | null)[], more: Partial<BucketColumns> = {}): BucketColumns {
  const time = mean.map((_, row) => row * STEP);
  return {
    sensor: "a",
    channel: "t",
    unit: "°C",
    kind: "gauge",
    step: "1min",
    since: 0,
    until: mean.length * STEP,
    source: "readings",
    resolution: "raw",
    notes: [],
    time,
    count: mean.map((one) => (one === null ? 0 : 1)),
    mean,
    min: mean,
    max: mean,
    last: mean,
    ...more,
  } as BucketColumns;
}

/** Its line, asked for long after. */
export const lineOf = (buckets: BucketColumns) => line(buckets, undefined, { totals: false, asked: 1e9, place: 0 });

/** The answer for a chart of two minutes, of these channels of sensor "a". */
export const charted = (...channels: string[]): ChartData => ({
  series: channels.map((channel) => ({ ...buckets([1, 2]), channel })),
  before: [],
  unknown: [],
  notes: [],
  since: 0,
  until: 120,
  asked: 120,
});

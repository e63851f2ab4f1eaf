// The numbers of a chart as a file.

import { address, iso } from "../../load/api";
import type { ChartData } from "../../state/model";
import { seriesOf } from "../../state/series";
import { ZONE } from "../../state/words";

/** Rows for each series of the file that *CSV* saves, at most: the file stays small, whatever the range. `sensorlogd export` gives all. */
const CSV_POINTS = 2000;

/** What the chart draws: means with their bands, last values of states and totals, and what counters rose by. */
const NUMBERS = "mean,min,max,last,increase";

/** The address of the file, with the steps and times of the zone of the browser, as the chart has them; undefined while there is none. */
export function csv(data: ChartData | null): string | undefined {
  if (!data?.series.length) return undefined;
  return address("buckets", {
    series: data.series.map((buckets) => seriesOf(buckets)),
    since: iso(data.since),
    until: iso(data.until),
    max_points: CSV_POINTS,
    agg: NUMBERS,
    tz: ZONE,
    format: "csv",
  });
}

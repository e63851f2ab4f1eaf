// The numbers of a chart as a file.

import { address, iso } from "../../load/api";
import type { ChartData } from "../../state/model";
import type { Route } from "../../state/route";
import { seriesOf } from "../../state/series";
import { ZONE } from "../../state/words";

/** Rows for each series of the file that *CSV* saves, at most: the file stays small, whatever the range. `sensorlogd export` gives all. */
const CSV_POINTS = 2000;

/** The address of the file, with the steps and times of the zone of the browser, as the chart has them; undefined while there is none. */
export function csv(route: Route, data: ChartData | null): string | undefined {
  if (!data?.series.length) return undefined;
  return address("buckets", {
    series: data.series.map((buckets) => seriesOf(buckets)),
    since: iso(data.since),
    until: iso(data.until),
    max_points: CSV_POINTS,
    tz: ZONE,

    format: "csv",
    ...(route.totals ? { agg: "last" } : {}),
  });
}

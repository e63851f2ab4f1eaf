// The questions of consumption, of a year of days and of the wind rose: buckets of calendar periods, and what they cost.

import type { BucketColumns } from "../../state/columns";
import type { State } from "../../state/model";
import { period } from "../../state/pages/consumption";
import { consumptionParameters, yearOf } from "../../state/parameters";
import { bounds, type Route, write } from "../../state/route";
import { ZONE } from "../../state/words";
import { ask, iso, type Query } from "../api";
import { askBuckets } from "../buckets";
import type { Cost } from "../types";

/** Steps of which a rose is made, at most: one of them is a thirtieth of a percent, less than the page shows. */
const STEPS_OF_A_ROSE = 3000;

/**
 * What changes the answer: the address, and the period that it means at `now` (seconds since 1970), which is another one after midnight
 * or New Year. A rose has no calendar period.
 */
export function sumsKey(route: Route, now: number): string {
  const meant = route.page === "year" ? [yearOf(route, now)] : route.page === "use" ? periodOf(route, now) : [];
  return [write({ ...route, kiosk: false }), ...meant].join(" ");
}

/** The period that the page of consumption shows at `now`. */
function periodOf(route: Route, now: number): [number, number] {
  const { by, at } = consumptionParameters(route, now);
  return period(by, at);
}

/** The buckets from which the page at the address is drawn: one of "rose", "year" and "use". Throws ApiError. */
export async function bucketsOf(state: State, signal: AbortSignal): Promise<BucketColumns[]> {
  const { route, now } = state; // the same moment as in sumsKey: the key names the period that is asked for
  const query: Query = { series: route.series, tz: ZONE };
  if (route.page === "rose") {
    const [since, until] = bounds(route, Date.now() / 1000 + state.ahead);
    Object.assign(query, { since: iso(since), until: iso(until), max_points: STEPS_OF_A_ROSE, agg: "mean" });
  } else if (route.page === "year") {
    const year = yearOf(route, now);
    Object.assign(query, {
      since: iso(new Date(year, 0, 1).getTime() / 1000),
      until: iso(new Date(year + 1, 0, 1).getTime() / 1000),
      every: "1d",
      agg: "mean,min,max,increase",
    });
  } else {
    const { by } = consumptionParameters(route, now);
    const [since, until] = periodOf(route, now);
    Object.assign(query, { since: iso(since), until: iso(until), every: by, agg: "increase" });
  }
  return (await askBuckets(query, signal)).series;
}

/** Costs by the prices of the configuration; counters without a price are left out. Throws ApiError. */
export async function costsOf(state: State, signal: AbortSignal): Promise<Cost[]> {
  const { route, now } = state;
  const { by } = consumptionParameters(route, now);
  const [since, until] = periodOf(route, now);
  const query = { series: route.series, since: iso(since), until: iso(until), every: by, tz: ZONE };
  return (await ask("cost", query, signal)).series;
}

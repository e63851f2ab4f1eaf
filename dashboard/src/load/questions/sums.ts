// The questions of consumption, of a year of days and of the wind rose: buckets of calendar periods, and what they cost.

import type { BucketColumns } from "../../state/columns";
import { type By, period } from "../../state/consumption";
import type { State } from "../../state/model";
import { bounds } from "../../state/route";
import { ZONE } from "../../state/words";
import { ask, iso, type Query } from "../api";
import type { Cost } from "../types";

/** Steps of which a rose is made, at most: one of them is a thirtieth of a percent, less than the page shows. */
const STEPS_OF_A_ROSE = 3000;

/** The buckets from which the page at the address is drawn: one of "rose", "year" and "use". Throws ApiError. */
export async function bucketsOf(state: State, signal: AbortSignal): Promise<BucketColumns[]> {
  const { route } = state;
  const now = Date.now() / 1000 + state.ahead;
  const query: Query = { series: route.series, shape: "columns", tz: ZONE };
  if (route.page === "rose") {
    const [since, until] = bounds(route, now);
    Object.assign(query, { since: iso(since), until: iso(until), max_points: STEPS_OF_A_ROSE, agg: "mean" });
  } else if (route.page === "year") {
    const year = Number(route.more["year"]) || new Date(now * 1000).getFullYear();
    Object.assign(query, {
      since: iso(new Date(year, 0, 1).getTime() / 1000),
      until: iso(new Date(year + 1, 0, 1).getTime() / 1000),
      every: "1d",
      agg: "mean,min,max,increase",
    });
  } else {
    const by = (route.more["by"] ?? "1d") as By;
    const [since, until] = period(by, Number(route.more["at"]) || now);
    Object.assign(query, { since: iso(since), until: iso(until), every: by, agg: "increase" });
  }
  return (await ask("buckets", query, signal)).series as BucketColumns[];
}

/** Costs by the prices of the configuration; counters without a price are left out. Throws ApiError. */
export async function costsOf(state: State, signal: AbortSignal): Promise<Cost[]> {
  const { route, ahead } = state;
  const by = (route.more["by"] ?? "1d") as By;
  const [since, until] = period(by, Number(route.more["at"]) || Date.now() / 1000 + ahead);
  const query = { series: route.series, since: iso(since), until: iso(until), every: by, tz: ZONE };
  return (await ask("cost", query, signal)).series;
}

// What each page reads from the rest of its address (`Route.more`). What is missing or makes no sense there is as if it were not said.

import { BYS, type By } from "./pages/consumption";
import { END_OF_TIME_S, type Route } from "./route";

const LONGEST_PERIOD_S = 366 * 86_400;

/** Of the page of consumption. */
export interface ConsumptionParameters {
  by: By;
  /** A time within the period that is shown, in seconds since 1970. */
  at: number;
  /** Of one unit, as a number for sums and as it was written; 0 and "": none. */
  price: number;
  writtenPrice: string;
}

/** `now`: seconds since 1970; the period of this moment is shown if no other is chosen. */
export function consumptionParameters(route: Route, now: number): ConsumptionParameters {
  const at = numberOf(route.more["at"]);
  const price = numberOf(route.more["price"]);
  return {
    by: BYS.find(([by]) => by === route.more["by"])?.[0] ?? "1d",
    at: at !== null && at >= 0 && at < END_OF_TIME_S - LONGEST_PERIOD_S ? at : now,
    price: price !== null && price > 0 ? price : 0,
    writtenPrice: route.more["price"] ?? "",
  };
}

/** The year that is shown: one of four digits; that of `now` (seconds since 1970) if no other is chosen. */
export function yearOf(route: Route, now: number): number {
  const year = route.more["year"] ?? "";
  return /^[1-9]\d{3}$/.test(year) ? Number(year) : new Date(now * 1000).getFullYear();
}

/** Which events are shown. Each is empty if none is chosen. */
export interface EventParameters {
  /** Globs. */
  sensor: string;
  kind: string;
  /** Only events with a smaller id: a page of earlier ones. Those that were brought back from a damaged file have ids of 0 or less. */
  before: string;
}

/** Of the page of events, and of the events on the page of a sensor. */
export function eventParameters(route: Route): EventParameters {
  const before = route.more["before"] ?? "";
  return {
    sensor: route.sensor || (route.more["sensor"] ?? ""),
    kind: route.more["kind"] ?? "",
    before: /^-?\d{1,15}$/.test(before) ? before : "",
  };
}

/** Of the overview. `by`: the label by which sensors are grouped, "name" or "none"; undefined where nothing is chosen. */
export interface OverviewParameters {
  find: string;
  by: string | undefined;
  show: "cards" | "rows" | undefined;
}

/** What the overview shows of the sensors, and how. */
export const overviewParameters = ({ more }: Route): OverviewParameters => ({
  find: more["find"] ?? "",
  by: more["by"],
  show: more["show"] === "rows" || more["show"] === "cards" ? more["show"] : undefined,
});

/** Whether the parts of the database are to be measured. */
export const measuresParts = (route: Route): boolean => route.more["parts"] === "1";

/** The number that a text says; null: none, or none that is finite. */
function numberOf(text: string | undefined): number | null {
  const number = Number(text);
  return text?.trim() && Number.isFinite(number) ? number : null;
}

// The question that a chart asks: of these series, with a point for about each pixel.

import { type Route, write } from "../state/route";
import { ZONE } from "../state/words";
import { iso, type Query, type Reply } from "./api";

/** More series than these are not drawn in one chart. */
export const MOST_SERIES = 40;

/** What is asked for of each bucket. */
export const AGGREGATES = "mean,min,max,last,increase,suspect,fail,missing";

/** The address of a chart without what does not change its answer. */
export const chartKey = (route: Route): string => write({ ...route, hidden: [], kiosk: false });

/** A window wider than this, in CSS pixels, or finer than two of the screen's to one of these, gets no more points. */
const WIDEST_PX = 1500;
const FINEST_RATIO = 2;
/** Points of the screen's pixels: four for five. */
const POINTS_A_PIXEL = 0.8;
/** So many at least, also in a window that has no width yet: fewer would be no curve. */
const FEWEST_POINTS = 50;

/** How many points to ask for: POINTS_A_PIXEL of the window's width, within bounds. */
export const points = (): number =>
  Math.max(
    Math.round(Math.min(window.innerWidth, WIDEST_PX) * Math.min(devicePixelRatio, FINEST_RATIO) * POINTS_A_PIXEL),
    FEWEST_POINTS,
  );

/** The parameters of the request for a chart of [since, until), in seconds since 1970. */
export const charted = (series: readonly string[], since: number, until: number): Query => ({
  series,
  max_points: points(),
  agg: AGGREGATES,
  tz: ZONE,
  since: iso(since),
  until: iso(until),
});

/** Whether each is the name of one series (no pattern, no sensor's name), and there is at least one and at most MOST_SERIES. */
export const plain = (series: readonly string[]): boolean =>
  series.length > 0 && series.length <= MOST_SERIES && series.every((name) => /^[^*?[\]]+\.[^*?[\]]+$/.test(name));

/** A question that was asked while the page's script was on its way: see askedearly.ts. `key`: the address of the chart. */
export interface AskedEarly {
  key: string;
  since: number;
  until: number;
  answer: Promise<Reply>;
}

declare global {
  interface Window {
    sensorlogdAskedEarly?: AskedEarly;
  }
}

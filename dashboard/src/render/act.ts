// The actions that parts of the page can call; handed down to all components.

import type { Range } from "../state/model";
import type { Route } from "../state/route";

/** What a part of the page can do to all of it. */
export interface Act {
  /**
   * Go to what `change` makes of the route of this moment and the time (seconds since 1970): that may be another route than was drawn
   * last, where two gestures follow each other at once. `replace`: the back button does not return to the present one.
   */
  go(change: (route: Route, now: number) => Route, replace?: boolean): void;
  /** A curve has come into sight. */
  curve(series: string): void;
  /** The pointer is at this time, or nowhere. */
  cursor(at: number | null): void;
  /** Hide a line, or show it again; the back button does not undo it. */
  toggle(series: string): void;
  /** Select this part of the chart, to flag, note or export it, or none. */
  select(range: Range | null): void;
  /** Something was changed: what the chart shows is asked for again. */
  refreshChart(): void;
  /** For screen readers. */
  say(text: string): void;
}

// What the pages ask the API. Each question belongs to an address of the page; an answer that comes after a change of it is dropped.

import type { State, Store } from "../../state/model";
import { measuresParts } from "../../state/parameters";
import { ask } from "../api";
import { Asking } from "./asking";
import { ChartQuestions } from "./chart";
import { eventsKey, eventsOf } from "./events";
import { bucketsOf, costsOf, sumsKey } from "./sums";

/** Asks what the page at the present address shows, and asks anew when that is out of date. */
export class Questions {
  private readonly asking: Asking;
  private readonly chart: ChartQuestions;

  constructor(store: Store) {
    this.asking = new Asking(store);
    this.chart = new ChartQuestions(store, this.asking);
  }

  /** Called after each change: asks for what the page needs and nobody has asked for yet. */
  readonly askForPage = (state: State): void => {
    const { route } = state;
    this.chart.begin(state);
    if (route.page === "events" || route.page === "sensor")
      this.asking.begin("events", eventsKey(route), (signal) => eventsOf(route, signal));
    if (route.page === "database") {
      const parts = measuresParts(route) ? "1" : "0";
      this.asking.begin("database", parts, (signal) => ask("database", { parts }, signal));
    }
    if (!route.series.length) return;
    const key = sumsKey(route, state.now);
    if (route.page === "use") this.asking.begin("costs", key, (signal) => costsOf(state, signal));
    if (["use", "year", "rose"].includes(route.page)) this.asking.begin("buckets", key, (signal) => bucketsOf(state, signal));
  };

  /** Readings of these series have come: a live chart of them is refreshed. */
  readonly news = (series: ReadonlySet<string>): void => this.chart.news(series);
}

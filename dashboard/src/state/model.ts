// All that the page knows. It changes in one place (`change`), and everything that is seen is drawn from it.

import type { Alarm, AlarmPeriod, Channel, Cost, Database, Event, Latest, Sensor, Status } from "../load/types";
import type { BucketColumns } from "./columns";
import { type Route, START } from "./route";

export type { Alarm, AlarmPeriod, Sensor };

/** An event of the log; `Event` alone is the browser's. */
export type LogEvent = Event;

/** Seconds since 1970. */
export interface Range {
  since: number;
  until: number;
}

/** What happened in the range of a chart, and when alarms were raised in it. */
export interface ChartEvents {
  events: LogEvent[];
  periods: AlarmPeriod[];
}

/** The answer to a page's question. */
export interface Answered<T> {
  /** The address that asked; empty: nobody has. */
  key: string;
  /** Null until an answer has come. */
  data: T | null;
  /** It is being asked. */
  busy: boolean;
  /** Why the server refused it, in words for people; empty: it did not, or was not reached and is asked again. */
  error: string;
  /** It is to be asked again, although the address is the same. */
  outdated: boolean;
}

/** The same answer, to be asked for again; it is shown until the next one comes. */
export const outdated = <T>(answered: Answered<T>): Answered<T> => ({ ...answered, outdated: true });

/** What a chart is drawn from. `before`: the same series, one period earlier. `unknown`: names that no series has. */
export interface ChartData {
  series: BucketColumns[];
  before: BucketColumns[];
  unknown: string[];
  /** Faults of the answer, and remarks about it. */
  notes: string[];
  since: number;
  until: number;
  /** When it was asked for, in seconds since 1970 of the server; later than `until` where that is in the past. */
  asked: number;
}

/** A page of events. `earlier`: where the next page begins; null: this is the last. */
export interface EventsData {
  events: LogEvent[];
  earlier: number | null;
}

/** Everything the page knows; parts are null until they have been answered. */
export interface State {
  route: Route;
  /** Seconds since 1970 of the server, moved on each second. */
  now: number;
  /** Seconds by which the server's clock is ahead of the browser's. */
  ahead: number;
  sensors: Sensor[] | null;
  /** Sensors that are not configured any more, and those that were only imported. */
  former: Sensor[];
  latest: Map<string, Latest>;
  /** The curves of the last hour, by series. */
  curves: Map<string, Curve>;
  status: Status | null;
  alarms: Alarm[];
  stream: { state: "opening" | "open" | "lost"; heard: number; reason: string };
  recent: LogEvent[];
  chart: Answered<ChartData>;
  /** Events of the range that the charts show: they are not waited for. */
  chartEvents: Answered<ChartEvents>;
  events: Answered<EventsData>;
  /** What the pages of consumption, of a year and of the wind are drawn from. */
  buckets: Answered<BucketColumns[]>;
  costs: Answered<Cost[]>;
  database: Answered<Database>;
  /** Why what every page needs could not be asked for; empty: it could. Errors of a page's own questions stand in their answers. */
  error: string;
  /** Where the pointer is in all charts: a time. */
  cursor: number | null;
  /** A part of the chart that is to be flagged or noted; dragging marks while there is one. */
  marking: Range | null;
}

/** A small curve of the last hour. */
export interface Curve {
  /** Its points: seconds since 1970, and a value or null for a gap. */
  time: number[];
  value: (number | null)[];
  /** By how much a counter rose in it, as the API counts: without wraps, offsets and glitches. Null: no counter, or not known. */
  increase: number | null;
  /** When that was asked for, in seconds since 1970 of the server; null: of no counter. */
  counted: number | null;
}

/** The channels of all sensors, former ones at the end. */
export const everyChannel = (state: State): Channel[] =>
  [...(state.sensors ?? []), ...state.former].flatMap((sensor) => sensor.channels);

const nothing = <T>(): Answered<T> => ({ key: "", data: null, busy: false, error: "", outdated: false });

/** What is known before anything was asked. */
export const beginning = (): State => ({
  route: START,
  now: Date.now() / 1000,
  ahead: 0,
  sensors: null,
  former: [],
  latest: new Map(),
  curves: new Map(),
  status: null,
  alarms: [],
  stream: { state: "opening", heard: 0, reason: "" },
  recent: [],
  chart: nothing(),
  chartEvents: nothing(),
  events: nothing(),
  buckets: nothing(),
  costs: nothing(),
  database: nothing(),
  error: "",
  cursor: null,
  marking: null,
});

/** The questions that a page asks, so that their errors are shown; `route.series` must name something where the page draws series. */
function questionsOf(state: State): Answered<unknown>[] {
  switch (state.route.page) {
    case "chart":
      return state.route.series.length ? [state.chart, state.chartEvents] : [];
    case "use":
      return state.route.series.length ? [state.buckets, state.costs] : [];
    case "year":
    case "rose":
      return state.route.series.length ? [state.buckets] : [];
    case "events":
    case "sensor":
      return [state.events];
    case "database":
      return [state.database];
    case "overview":
    case "alarms":
      return [];
  }
}

/** What went wrong with what the present page shows, each sentence once: of the questions of every page and of its own. */
export const errorsOf = (state: State): string[] => [
  ...new Set([state.error, ...questionsOf(state).map((answered) => answered.error)].filter(Boolean)),
];

/** What becomes different by a new route. Nothing is marked on another page, nor in a kiosk, which has no form that would show it. */
export const arrived = (state: State, route: Route): Partial<State> => ({
  route,
  cursor: null,
  marking: route.page !== state.route.page || route.kiosk ? null : state.marking,
});

/** Returns what becomes different; null: nothing. */
export type Change = (state: State) => Partial<State> | null;

/** The one store. Listeners hear once for all changes of a frame. */
export class Store {
  state: State = beginning();
  private readonly listeners: ((state: State) => void)[] = [];
  private waiting = false;

  constructor(private readonly soon: (draw: () => void) => void) {}

  readonly change = (how: Change): void => {
    const changed = how(this.state);
    if (!changed) return;
    this.state = { ...this.state, ...changed };
    if (this.waiting) return;
    this.waiting = true;
    this.soon(() => {
      this.waiting = false;
      for (const listener of this.listeners) listener(this.state);
    });
  };

  listen(listener: (state: State) => void): void {
    this.listeners.push(listener);
  }
}

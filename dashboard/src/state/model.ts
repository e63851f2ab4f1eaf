// All that the page knows. It changes in one place (`change`), and everything that is seen is drawn from it.

import type { Alarm, AlarmPeriod, Cost, Database, Event, Latest, Sensor, Status } from "../load/types";
import type { Buckets } from "./frame";
import { type Route, START } from "./route";

export type { Alarm, AlarmPeriod, Sensor };
export type LogEvent = Event;

/** Seconds since 1970. */
export interface Range {
  since: number;
  until: number;
}

/** What happened in the range of a chart, and when alarms were raised in it. */
export interface Happened {
  events: LogEvent[];
  periods: AlarmPeriod[];
}

/** What a page asked for: of which address, and what came. */
export interface Asked<T> {
  key: string;
  data: T | null;
  busy: boolean;
}

export interface ChartData {
  series: Buckets[];
  before: Buckets[];
  unknown: string[];
  /** What is wrong with the answer, or to be known about it. */
  notes: string[];
  since: number;
  until: number;
}

export interface EventsData {
  events: LogEvent[];
  earlier: number | null;
}

export interface State {
  route: Route;
  /** Seconds since 1970 of the server, moved on each second. */
  now: number;
  /** The server's clock is ahead of ours by so many seconds. */
  ahead: number;
  sensors: Sensor[] | null;
  /** Former ones, and those that were only imported. */
  former: Sensor[];
  latest: Map<string, Latest>;
  /** Of the last hour, by series. */
  curves: Map<string, Curve>;
  status: Status | null;
  alarms: Alarm[];
  stream: { state: "opening" | "open" | "lost"; heard: number; reason: string };
  recent: LogEvent[];
  chart: Asked<ChartData>;
  /** Events of the range that the charts show: they are not waited for. */
  happened: Asked<Happened>;
  events: Asked<EventsData>;
  figures: Asked<Buckets[]>;
  costs: Asked<Cost[]>;
  database: Asked<Database>;
  /** Why the last question failed. */
  error: string;
  /** Where the pointer is in all charts: a time. */
  cursor: number | null;
  hidden: ReadonlySet<string>;
  /** A part of the chart that is to be flagged or noted; dragging marks while there is one. */
  marking: Range | null;
}

export interface Curve {
  time: number[];
  value: (number | null)[];
}

const nothing = <T>(): Asked<T> => ({ key: "", data: null, busy: false });

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
  happened: nothing(),
  events: nothing(),
  figures: nothing(),
  costs: nothing(),
  database: nothing(),
  error: "",
  cursor: null,
  hidden: new Set(),
  marking: null,
});

export type Change = (state: State) => Partial<State> | null;

/** The one store. Listeners hear once for all changes of a frame. */
export class Store {
  state: State = beginning();
  private readonly listeners: ((state: State) => void)[] = [];
  private waiting = false;

  constructor(private readonly soon: (act: () => void) => void) {}

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

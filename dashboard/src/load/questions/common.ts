// What every page needs: sensors, newest values, the state of the daemon, alarms.

import { aheadOf, isAhead } from "../../state/clocks";
import { withStreamed } from "../../state/events";
import { everyChannel, type LogEvent, type Sensor, type State, type Store } from "../../state/model";
import { seriesOf } from "../../state/series";
import { ApiError, ask, iso } from "../api";
import type { Latest, SensorState, Status } from "../types";
import { TRIED_ANEW_MS } from "./asking";
import { oneAtATime } from "./oneatatime";

/** Events since the page was opened that it remembers: the last ones. */
const KEPT_EVENTS = 500;

/** What a stream says of a sensor. */
export type Report = Pick<SensorState, "sensor" | "state" | "health" | "error">;

/** Asks what every page needs, each question one at a time, and says in the state which of them failed. */
export class CommonQuestions {
  /** When the state of the daemon was last asked for, in ms since 1970. */
  statusAt = 0;
  private readonly openedAt = Date.now();
  private readonly errors = new Map<string, string>();

  /** `otherSeries`: called when there are other series than before. */
  constructor(
    private readonly store: Store,
    private readonly otherSeries: () => void,
  ) {}

  /** Asks for the sensors and their channels, until there is an answer. */
  readonly sensors = oneAtATime(() => this.untilAnswered("sensors", () => this.askSensors()));

  /** Asks for the newest value of each series, until there is an answer. */
  readonly latest = oneAtATime(() => this.untilAnswered("latest", () => this.askLatest()));

  /** Asks for what happened since the page was opened, until there is an answer. */
  readonly recentEvents = oneAtATime(() => this.untilAnswered("recent events", () => this.askRecentEvents()));

  /** Asks for the state of the daemon, and for the alarms. */
  readonly status = oneAtATime(async () => {
    this.statusAt = Date.now();
    if (await this.answered("status", () => this.askStatus())) await this.answered("alarms", () => this.askAlarms());
  });

  private async untilAnswered(name: string, question: () => Promise<void>): Promise<void> {
    while (!(await this.answered(name, question))) await new Promise((go) => window.setTimeout(go, TRIED_ANEW_MS));
  }

  /** Whether there was an answer. The error of a question is over with its next answer; that nobody answers the stream says. */
  private async answered(name: string, question: () => Promise<void>): Promise<boolean> {
    let words = "";
    let done = true;
    try {
      await question();
    } catch (error) {
      done = false;
      if (!(error instanceof ApiError)) console.error(error);
      else if (error.code !== "away") words = error.message;
    }
    this.errors.set(name, words);
    const error = [...new Set(this.errors.values())].filter(Boolean).join(" ");
    this.store.change((state) => (state.error === error ? null : { error }));
    return done;
  }

  private async askSensors(): Promise<void> {
    const all = (await ask("sensors", { retired: "1" })).sensors;
    const live = (sensor: Sensor) =>
      sensor.channels.some((channel) => !channel.retired) || (!sensor.channels.length && sensor.state !== "stopped");
    const before = this.store.state;
    this.store.change(() => ({
      sensors: all.filter(live).map((sensor) => ({ ...sensor, channels: sensor.channels.filter((channel) => !channel.retired) })),
      former: all
        .map((sensor) => ({ ...sensor, channels: sensor.channels.filter((channel) => channel.retired || !live(sensor)) }))
        .filter((sensor) => sensor.channels.length),
    }));
    if (before.sensors && namesOf(before) !== namesOf(this.store.state)) this.otherSeries();
  }

  /** A newer value that the stream brought meanwhile stays, and so does a series that it brought first. */
  private async askLatest(): Promise<void> {
    const before = this.store.state.latest;
    const rows = (await ask("latest")).latest;
    this.store.change(({ latest, ahead }) => {
      const now = Date.now() / 1000 + ahead; // state.now stands still for up to a minute while the page is hidden
      const newer = (newest: Latest): Latest => {
        const streamed = latest.get(seriesOf(newest));
        return streamed && streamed.time !== newest.time && isNewer(streamed, newest, now) ? streamed : newest;
      };
      const came = [...latest].filter(([name]) => !before.has(name));
      return { latest: new Map([...came, ...rows.map((newest): [string, Latest] => [seriesOf(newest), newer(newest)])]) };
    });
  }

  private async askRecentEvents(): Promise<void> {
    const opened = this.openedAt / 1000 + this.store.state.ahead;
    const known = new Set(this.store.state.recent);
    const { events } = await ask("events", { since: iso(opened), limit: KEPT_EVENTS });
    // Of what was known before the question the answer says what is true: another database may have taken the place of the former.
    this.store.change(({ recent }) => ({
      recent: continued(
        events,
        recent.filter((event) => !known.has(event)),
      ),
    }));
  }

  private async askStatus(): Promise<void> {
    const asked = Date.now() / 1000;
    const status = await ask("status");
    const answered = Date.now() / 1000;
    this.store.change(({ sensors }) => ({
      status,
      ahead: aheadOf(status.now, asked, answered),
      sensors: reported(sensors, status.sensors),
    }));
    if (this.isNewSensorIn(status)) void this.sensors();
  }

  private isNewSensorIn(status: Status): boolean {
    const { sensors } = this.store.state;
    const live = new Set(sensors?.map((sensor) => sensor.sensor));
    return (
      sensors !== null &&
      status.sensors.some((report) => !live.has(report.sensor) && report.state !== "stopped" && report.health !== "not running")
    );
  }

  private async askAlarms(): Promise<void> {
    const { alarms } = await ask("alarms");
    this.store.change(() => ({ alarms }));
  }
}

/** The names of all series, as one text. */
const namesOf = (state: State): string =>
  everyChannel(state)
    .map((channel) => channel.series)
    .sort()
    .join("\n");

/** Events with those that the stream brought since; no more than are kept, the last ones. */
export const continued = (events: readonly LogEvent[], streamed: readonly LogEvent[]): LogEvent[] =>
  withStreamed(events, streamed).slice(-KEPT_EVENTS);

/** Whether a reading is newer than the newest one before, at `now`, in seconds: one dated ahead does not hide what comes after it. */
export const isNewer = (reading: { time: number }, before: { time: number }, now: number): boolean =>
  before.time <= reading.time || isAhead(before.time, now);

/** The sensors with their states as the reports say. */
export function reported(sensors: Sensor[] | null, reports: readonly Report[]): Sensor[] | null {
  const by = new Map(reports.map((report) => [report.sensor, report]));
  return (
    sensors?.map((sensor) => {
      const report = by.get(sensor.sensor);
      return report ? { ...sensor, state: report.state, health: report.health, error: report.error } : sensor;
    }) ?? null
  );
}

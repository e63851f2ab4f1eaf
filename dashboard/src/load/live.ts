// What the stream brings is laid into the store; what it may have left out is asked for.

import { isOfDatabase } from "../state/events";
import { everyChannel, type LogEvent, outdated, type Store } from "../state/model";
import { measuresParts } from "../state/parameters";
import type { PageName } from "../state/route";
import { seriesOf } from "../state/series";
import { extended } from "./curves";
import { Outdating } from "./outdating";
import { passed } from "./passed";
import { CommonQuestions, continued, isNewer, type Report, reported } from "./questions/common";
import { listen } from "./stream";
import type { Latest, Reading } from "./types";

/** The state of the daemon is asked for so long after an event. */
const SHORTLY_MS = 300;
/** The stream is opened after so long, even if the page's first answer is not there yet. */
const STREAM_AFTER_MS = 1000;
/** The state of the daemon is asked for so often while readings come. */
const STATUS_EACH_S = 30;
/** No readings for so long, although the stream is open, or an error: the state of the daemon is asked for as often as that. */
const NO_READINGS_S = 10;
/** Readings that the stream has left out are made up for so often at most: an import leaves some out four times a second. */
const MADE_UP_EACH_MS = 5000;

/** A chart is asked for whole so often at most: an import says four times a second that readings were left out. */
const WHOLE_EACH_MS = 10_000;
/** What events change is asked for so often at most: of a storm of alarms some come four times a second. */
const OF_EVENTS_EACH_MS = 2000;

/** After such an event a chart may lack readings, or show what they were before; the stream does not send such readings. */
const CHANGE_READINGS: ReadonlySet<string> = new Set([
  "imported",
  "mended",
  "mend_undone",
  "unit_changed",
  "recomputed",
  "salvaged",
]);
/** After such an event there may be other sensors, channels or units. */
const CHANGE_SENSORS: ReadonlySet<string> = new Set(["config_reloaded", "started", "imported", "unit_changed"]);
/** What follows from time itself is asked for again so often: a live chart goes on, and an hour is another hour, also without readings. */
const EACH_MINUTE_MS = 60_000;

/** Pages that show sums up to now. */
const SHOW_SUMS: ReadonlySet<PageName> = new Set<PageName>(["use", "year", "rose"]);

/** Who is told of readings. */
export interface Followers {
  /** New readings have come of these series, or time has passed without any. */
  news(series: ReadonlySet<string>): void;
  /** Readings may be missing, of any series. */
  missed(): void;
}

/** Follows the stream, and asks for what every page needs. */
export class Live {
  private readonly common: CommonQuestions;
  private readonly chart: Outdating;
  private readonly chartEvents: Outdating;
  private readonly database: Outdating;
  private readingAt = Date.now();
  private following = false;
  private madeUpAt = 0;
  private makeUpTimer = 0;

  constructor(
    private readonly store: Store,
    private readonly followers: Followers,
  ) {
    this.chart = new Outdating(store, "chart", WHOLE_EACH_MS);
    this.chartEvents = new Outdating(store, "chartEvents", OF_EVENTS_EACH_MS);
    this.database = new Outdating(store, "database", OF_EVENTS_EACH_MS);
    this.common = new CommonQuestions(store, this.chart.soon);
  }

  begin(): void {
    void this.common.sensors();
    window.setTimeout(this.follow, STREAM_AFTER_MS);
  }

  /** Asks for the state of the daemon, and for all that follows. Called once what the page shows first is there. */
  readonly follow = (): void => {
    if (this.following) return;
    this.following = true;
    void this.common.status();
    listen({
      message: (kind, data) => this.message(kind, data),
      alive: () =>
        this.store.change(({ stream }) =>
          stream.state === "open" && passed(stream.heard * 1000) < 1000
            ? null
            : { stream: { state: "open", heard: Date.now() / 1000, reason: "" } },
        ),
      resumed: () => this.resumed(),
      lost: (reason) => this.store.change(({ stream }) => ({ stream: { ...stream, state: "lost", reason } })),
    });
    window.setInterval(() => this.tick(), 1000);
    window.setInterval(() => this.eachMinute(), EACH_MINUTE_MS);
  };

  private tick(): void {
    this.store.change(({ ahead }) => ({ now: Date.now() / 1000 + ahead }));
    if (document.hidden) return;
    // When no readings come, ask soon whether the daemon lives; otherwise ask for its state now and then.
    const soon = this.store.state.error || passed(this.readingAt) > NO_READINGS_S * 1000;
    const due = soon ? NO_READINGS_S : STATUS_EACH_S;
    if (passed(this.common.statusAt) > due * 1000 && this.store.state.stream.state === "open") void this.common.status();
  }

  /** What is under way is left alone: asking anew would drop it. So are sums that were refused, and the parts of the file, which take long. */
  private eachMinute(): void {
    if (document.hidden) return;
    const { route } = this.store.state;
    if (route.page === "database" && !measuresParts(route)) this.database.soon();
    this.store.change(({ buckets, costs }) => ({
      ...(SHOW_SUMS.has(route.page) && !buckets.busy && !buckets.error ? { buckets: outdated(buckets) } : {}),
      ...(SHOW_SUMS.has(route.page) && !costs.busy && !costs.error ? { costs: outdated(costs) } : {}),
    }));
    this.followers.news(new Set(everyChannel(this.store.state).map((channel) => channel.series)));
  }

  private message(kind: string, data: unknown): void {
    if (kind === "latest") {
      this.store.change(() => ({
        latest: new Map((data as Latest[]).map((newest) => [seriesOf(newest), newest])),
      }));
      this.readingAt = Date.now();
    } else if (kind === "readings") this.readings(data as Reading[]);
    else if (kind === "events") this.events(data as LogEvent[]);
    else if (kind === "sensors") this.states(data as Report[]);
    else if (kind === "gap" || kind === "skipped") {
      this.chart.soon();
      this.makeUpSoon();
    } else if (kind === "another_file") this.isAnotherFile();
  }

  /** Another database took the place of the former one: its events count from 1 again, and whatever is shown is of the former. */
  private isAnotherFile(): void {
    this.store.change(() => ({ recent: [], latest: new Map() }));
    this.resumed();
  }

  /**
   * The stream is there again. Of a long break, and of any in which the server began anew, it tells readings at most: no events,
   * no states of sensors. So all of that is asked for.
   */
  private resumed(): void {
    this.chart.soon();
    this.chartEvents.soon();
    this.database.soon();
    this.store.change(({ events, buckets, costs }) => ({
      events: outdated(events),
      buckets: outdated(buckets),
      costs: outdated(costs),
    }));
    void this.common.recentEvents();
    void this.common.sensors();
    void this.common.status();
    this.makeUpSoon();
  }

  private makeUpSoon(): void {
    if (this.makeUpTimer) return;
    const wait = Math.max(MADE_UP_EACH_MS - passed(this.madeUpAt), 0);
    this.makeUpTimer = window.setTimeout(() => this.makeUp(), wait);
  }

  /** Asks for what follows from readings that did not come. */
  private makeUp(): void {
    this.makeUpTimer = 0;
    this.madeUpAt = Date.now();
    void this.common.latest();
    this.followers.missed();
    this.followers.news(new Set(this.store.state.latest.keys()));
  }

  private readings(rows: readonly Reading[]): void {
    this.readingAt = Date.now();
    const names = new Set<string>();
    this.store.change((state) => {
      const now = Date.now() / 1000 + state.ahead; // state.now stands still for up to a minute while the page is hidden
      const latest = new Map(state.latest);
      const curves = new Map(state.curves);
      for (const reading of rows) {
        const name = seriesOf(reading);
        names.add(name);
        const before = latest.get(name);
        if (!before || isNewer(reading, before, now)) latest.set(name, { ...reading, age_s: 0, state: "ok" });
        const curve = curves.get(name);
        if (curve) curves.set(name, extended(curve, reading, now));
      }
      return { latest, curves };
    });
    this.followers.news(names);
  }

  private events(events: readonly LogEvent[]): void {
    this.store.change(({ recent }) => ({ recent: continued(recent, events) }));
    if (events.some((event) => CHANGE_SENSORS.has(event.kind))) void this.common.sensors();
    if (events.some((event) => CHANGE_READINGS.has(event.kind))) {
      this.chart.soon();
      this.makeUpSoon();
    }
    // The page of the database tells of these.
    if (events.some((event) => isOfDatabase(event.kind))) this.database.soon();
    // Charts show the times in alarm, so ask for those again.
    if (events.some((event) => event.kind.startsWith("alarm_"))) this.chartEvents.soon();
    window.setTimeout(() => void this.common.status(), SHORTLY_MS);
  }

  private states(reports: readonly Report[]): void {
    const known = new Map(this.store.state.sensors?.map((sensor) => [sensor.sensor, sensor.state]));
    this.store.change((state) => ({ sensors: reported(state.sensors, reports) }));
    // Since when a state is, and what was counted, is not in a report; a sensor that is not known is in no answer yet.
    if (reports.some((report) => known.get(report.sensor) !== report.state)) void this.common.sensors();
  }
}

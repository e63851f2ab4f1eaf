// What every page needs: sensors, newest values, the state of the daemon. Asked for at the start, kept current by the stream.

import type { LogEvent, Sensor, Store } from "../state/model";
import { seriesOf } from "../state/series";
import { ApiError, ask } from "./api";
import { extended } from "./curves";
import { listen } from "./stream";
import type { Latest, Reading } from "./types";

/** The state of the daemon is asked for so long after an event. */
const SHORTLY_MS = 300;
/** The stream is opened after so long, even if the page's first answer is not there yet. */
const STREAM_AFTER_MS = 1000;
/** The state of the daemon is asked for so often while readings come. */
const STATUS_EACH_S = 30;
/** No readings for so long, although the stream is open: the state of the daemon is asked for as often as that. */
const NO_READINGS_S = 10;
/** Events that the page remembers of those that came by the stream: the last ones. */
const KEPT_EVENTS = 500;

type SensorState = { sensor: string; state: string; health: Sensor["health"]; error: string | null };

/** Asks for what every page needs, and lays what the stream brings into the store. */
export class Live {
  private statusAt = 0;
  private readingAt = Date.now();
  private asking = false;
  private following = false;
  private ahead = 0;

  constructor(
    private readonly store: Store,
    /** New readings have come of these series. */
    private readonly news: (series: ReadonlySet<string>) => void,
  ) {}

  begin(): void {
    void this.sensors();
    window.setTimeout(this.follow, STREAM_AFTER_MS);
  }

  /** Asks for the state of the daemon, and for all that follows. Called once what the page shows first is there. */
  readonly follow = (): void => {
    if (this.following) return;
    this.following = true;
    void this.status();
    listen({
      message: (kind, data) => this.message(kind, data),
      alive: () =>
        this.store.change(({ stream }) =>
          stream.state === "open" && Date.now() / 1000 - stream.heard < 1
            ? null
            : { stream: { state: "open", heard: Date.now() / 1000, reason: "" } },
        ),
      lost: (reason) => this.store.change(({ stream }) => ({ stream: { ...stream, state: "lost", reason } })),
    });
    window.setInterval(() => this.tick(), 1000);
  };

  private tick(): void {
    const now = Date.now();
    this.store.change(() => ({ now: now / 1000 + this.ahead }));
    if (document.hidden) return;
    // When no readings come, ask soon whether the daemon lives; otherwise ask for its state now and then.
    const due = now - this.readingAt > NO_READINGS_S * 1000 ? NO_READINGS_S : STATUS_EACH_S;
    if (now - this.statusAt > due * 1000 && this.store.state.stream.state === "open") void this.status();
  }

  private async sensors(): Promise<void> {
    try {
      const all = (await ask("sensors", { retired: "1" })).sensors;
      const live = (sensor: Sensor) =>
        sensor.channels.some((channel) => !channel.retired) || (!sensor.channels.length && sensor.state !== "stopped");
      this.store.change(() => ({
        sensors: all
          .filter(live)
          .map((sensor) => ({ ...sensor, channels: sensor.channels.filter((channel) => !channel.retired) })),
        former: all
          .map((sensor) => ({ ...sensor, channels: sensor.channels.filter((channel) => channel.retired || !live(sensor)) }))
          .filter((sensor) => sensor.channels.length),
        error: "",
      }));
    } catch (error) {
      this.failed(error);
      window.setTimeout(() => void this.sensors(), 2000);
    }
  }

  private async status(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    this.statusAt = Date.now();
    try {
      const status = await ask("status");
      this.ahead = status.now - Date.now() / 1000;
      if (Math.abs(this.ahead) < 2) this.ahead = 0;
      this.store.change((state) => {
        const by = new Map(status.sensors.map((report) => [report.sensor, report]));
        const sensors = state.sensors?.map((sensor) => ({ ...sensor, ...pick(by.get(sensor.sensor)) })) ?? null;
        return { status, ahead: this.ahead, sensors };
      });
      const known = this.store.state.sensors;
      const live = new Set(known?.map((sensor) => sensor.sensor));
      if (
        known &&
        status.sensors.some((report) => !live.has(report.sensor) && report.state !== "stopped" && report.health !== "not running")
      )
        void this.sensors();
      await this.alarms();
    } catch (error) {
      this.failed(error);
    } finally {
      this.asking = false;
    }
  }

  private async alarms(): Promise<void> {
    const answer = await ask("alarms");
    this.store.change(() => ({ alarms: answer.alarms }));
  }

  private failed(error: unknown): void {
    if (error instanceof ApiError) this.store.change(() => ({ error: error.code === "away" ? "" : error.message }));
    else console.error(error);
  }

  private message(kind: string, data: unknown): void {
    if (kind === "latest") {
      this.store.change(() => ({
        latest: new Map((data as Latest[]).map((newest) => [seriesOf(newest), newest])),
      }));
      this.readingAt = Date.now();
    } else if (kind === "readings") this.readings(data as Reading[]);
    else if (kind === "events") this.events(data as LogEvent[]);
    else if (kind === "sensors") this.states(data as SensorState[]);
    else if (kind === "gap" || kind === "skipped") this.news(new Set(this.store.state.latest.keys()));
  }

  private readings(rows: readonly Reading[]): void {
    this.readingAt = Date.now();
    const names = new Set<string>();
    this.store.change((state) => {
      const latest = new Map(state.latest);
      const curves = new Map(state.curves);
      for (const reading of rows) {
        const name = seriesOf(reading);
        names.add(name);
        const before = latest.get(name);
        if (!before || before.time <= reading.time) latest.set(name, { ...reading, age_s: 0, state: "ok" });
        const curve = curves.get(name);
        if (curve) curves.set(name, extended(curve, reading));
      }
      return { latest, curves };
    });
    this.news(names);
  }

  private events(events: readonly LogEvent[]): void {
    this.store.change((state) => ({ recent: [...state.recent, ...events].slice(-KEPT_EVENTS) }));
    if (events.some((event) => event.kind === "config_reloaded" || event.kind === "started" || event.kind === "imported"))
      void this.sensors();
    // Charts show the times in alarm, so ask for those again.
    if (events.some((event) => event.kind.startsWith("alarm_")))
      this.store.change((state) => ({ chartEvents: { ...state.chartEvents, key: "" } }));
    window.setTimeout(() => void this.status(), SHORTLY_MS);
  }

  private states(states: readonly SensorState[]): void {
    const by = new Map(states.map((report) => [report.sensor, report]));
    this.store.change((state) => ({
      sensors: state.sensors?.map((sensor) => ({ ...sensor, ...pick(by.get(sensor.sensor)) })) ?? null,
    }));
    if (states.some((report) => !this.store.state.sensors?.some((known) => known.sensor === report.sensor))) void this.sensors();
  }
}

function pick(report: SensorState | undefined): Partial<Sensor> {
  return report ? { state: report.state, health: report.health, error: report.error } : {};
}

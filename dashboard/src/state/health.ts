// The health of sensors and of the daemon, in words and by level. What has trouble is always listed first.

import { SAME_CLOCK_S } from "./clocks";
import type { Sensor, State } from "./model";
import { age, duration, plural, time } from "./words";

/** How loud something is shown. */
export type Level = "good" | "warn" | "bad" | "off";

const LEVELS: Record<string, Level> = {
  ok: "good",
  waiting: "off",
  finished: "off",
  stopped: "off",
  disabled: "off",
  stale: "warn",
  reconnecting: "warn",
  failed: "bad",
  "not running": "bad",
};
const ORDER: Record<Level, number> = { bad: 0, warn: 1, good: 2, off: 3 };

/** The level of a sensor's health; a word that is not known here is a warning. */
export const levelOfHealth = (health: string): Level => LEVELS[health] ?? "warn";

/** Whether a flag makes a value doubtful: its text begins with suspect, fail or missing. */
export const isFlagged = (quality: string): boolean => /^(suspect|fail|missing)/.test(quality);

/** What is said of a sensor: how it is now, in words and by level. */
export interface SensorReport {
  sensor: Sensor;
  health: string;
  level: Level;
  last: number | null;
  /** A sentence, if there is something to say. */
  says: string;
}

/** A sensor as it is now: what the daemon said last, corrected by the time that has passed since. */
export function reportOf(state: State, sensor: Sensor): SensorReport {
  let last = sensor.last;
  let flagged = 0;
  let heartbeat = 0;
  for (const channel of sensor.channels) {
    const newest = state.latest.get(channel.series);
    if (newest && (last === null || newest.time > last)) last = newest.time;
    if (newest && isFlagged(newest.quality)) flagged += 1;
    heartbeat = Math.max(heartbeat, channel.heartbeat_s);
  }
  let health: string = sensor.health;
  const silent = last === null ? 0 : state.now - last;
  const hasSpokenSince = last !== null && (sensor.last === null || last > sensor.last);
  if (health === "ok" && heartbeat > 0 && silent > heartbeat + 2 && state.stream.state === "open") health = "stale";
  if (health === "stale" && hasSpokenSince && silent <= heartbeat && silent >= -SAME_CLOCK_S) health = "ok";
  let level = levelOfHealth(health);
  if (level === "good" && flagged) level = "warn";
  const error = level === "good" || level === "off" ? "" : (sensor.error ?? "");
  const says =
    error ||
    (health === "stale"
      ? last === null
        ? "nothing has come yet"
        : `nothing for ${duration(Math.max(silent, 0))}`
      : flagged && level !== "bad"
        ? `${plural(flagged, "newest value")} flagged`
        : "");
  return { sensor, health, level, last, says };
}

/** All sensors, the worst first, then by name. */
export function ordered(state: State): SensorReport[] {
  return (state.sensors ?? [])
    .map((sensor) => reportOf(state, sensor))
    .sort((a, b) => ORDER[a.level] - ORDER[b.level] || a.sensor.sensor.localeCompare(b.sensor.sensor, "en", { numeric: true }));
}

/** What the head of the page says of the log as a whole. */
export interface Verdict {
  level: Level;
  word: string;
  says: string;
}

/** The head of the page: does the log log? */
export function verdict(state: State): Verdict {
  const { stream, status } = state;
  if (stream.state === "lost") {
    const since = stream.heard ? `, what is shown is of ${time(stream.heard + state.ahead, state.now)}` : "";
    return { level: "bad", word: "no answer", says: `${stream.reason || "sensorlogd does not answer"}${since}. Trying again.` };
  }
  if (!status) return { level: "off", word: "opening", says: "" };
  const { state_now: now, explanation, state: writer = "", state_reason: reason = "" } = status.daemon;
  if (now !== "running") return { level: "bad", word: now, says: explanation };
  if (writer !== "writing") return { level: "bad", word: writer || "starting", says: reason || explanation };
  const wrong = status.config_errors[0];
  if (wrong) return { level: "warn", word: "logging", says: `the configuration was refused: ${wrong}` };
  return { level: "good", word: "logging", says: "" };
}

/** The number of sensors at each level. */
export function counts(reports: readonly SensorReport[]): Record<Level, number> {
  const levels: Record<Level, number> = { good: 0, warn: 0, bad: 0, off: 0 };
  for (const report of reports) levels[report.level] += 1;
  return levels;
}

/** What to do now about a sensor that is not well. */
export function advice(report: SensorReport, now: number): string {
  const { sensor } = report;
  const name = sensor.sensor;
  switch (report.health) {
    case "ok":
      return report.level === "good"
        ? "Nothing: readings come as they should."
        : "Look at the flagged values below: the limits may be too narrow, or the sensor is wrong.";
    case "waiting":
      return "Wait for the first reading; if none comes within its heartbeat this turns stale.";
    case "stale":
      return `The port is open and nothing comes (last reading ${age(report.last === null ? null : now - report.last)}). Is it powered? Does it send by itself? Listen: sensorlogd listen ${name}`;
    case "reconnecting":
      return "It is tried again and again, by itself. Is the cable plugged in, does the device have power, does another program hold the port?";
    case "failed":
      return `Mend what the error says; it is taken up again by itself. What comes over the line: sensorlogd listen ${name}. What the configuration means: sensorlogd check`;
    case "not running":
      return "Nothing is logged. Start the daemon: systemctl start sensorlogd. Why it ended: journalctl -u sensorlogd";
    case "disabled":
      return "It is switched off in the configuration (enabled: false).";
    default:
      return "Nothing: it is not being read.";
  }
}

// What the page of the database says in words: how it grows, and what the daemon says of it. Only of what is known.

import type { Database, Status } from "../../load/types";
import { day, duration, plural, size, time } from "../words";

/** A fact: its name, and what it is. */
export type Fact = readonly [name: string, value: string];

/** Below so many seconds since its start, readings a second say little. */
const TOO_SHORT_S = 60;

/** Whether the daemon lives: what it said of its present run is true of no time after its end. */
export const lives = (status: Status): boolean => ["running", "blocked", "hung"].includes(status.daemon.state_now);

/** All facts, in the order of the page. `log`: null until that has been answered. `now`: seconds since 1970. */
export function factsOf(status: Status, log: Database | null, now: number): Fact[] {
  const { database, daemon } = status;
  return [
    ["File", database.path],
    ["Size", `${size(database.bytes)}, and ${size(database.wal_bytes)} of write-ahead log`],
    ...(log ? growthOf(log, now) : []),
    ...(daemon.last_commit_us ? [["Last commit", lastCommit(daemon.last_commit_us, daemon.last_commit_ms, now)] as const] : []),
    ...(lives(status) ? runOf(daemon, now) : []),
    ...(daemon.version ? [["Version", daemon.version] as const] : []),
  ];
}

/** How it grows, and how far behind its roll-ups are. */
function growthOf(log: Database, now: number): Fact[] {
  const facts: Fact[] = [
    ["Readings", log.first === null ? "none" : `from ${time(log.first, 0)} to ${time(log.last ?? now, now)}`],
    ["Comes a day", comesADay(log)],
    ["Free on the disk", `${size(log.disk_free_bytes)}, and ${size(log.free_bytes)} in the file`],
  ];
  const full = fullBy(log, now);
  if (full) facts.push(["Full by", full]);
  facts.push(["Rolled up until", rolledUpUntil(log, now)]);
  return facts;
}

function comesADay({ readings_per_day: readings, bytes_per_day: bytes, expires }: Database): string {
  if (readings === null || bytes === null) return "not known before an hour is rolled up";
  return `${plural(Math.round(readings), "reading")}, about ${size(bytes)}${expires ? "; old ones expire" : ""}`;
}

/** Empty: not known. */
function fullBy({ full, expires, readings_per_day: readings }: Database, now: number): string {
  if (full !== null) return `${day(full)}, as it grows now (in ${duration(Math.max(full - now, 0))})`;
  if (expires) return "not at all, if as much expires as comes";
  return readings === null ? "" : "not within a century";
}

function rolledUpUntil({ rolled_up_until: edge, last, hours_to_roll_up: hours }: Database, now: number): string {
  const behind = edge === null || last === null ? 0 : last - edge;
  const lag = behind > 1 ? `, ${duration(behind)} behind the newest reading` : "";
  const anew = hours ? `; ${plural(hours, "hour")} of series to be done anew` : "";
  return `${edge === null ? "not yet" : time(edge, now) + lag}${anew}`;
}

function lastCommit(at_us: number, took_ms: number | undefined, now: number): string {
  return `${time(at_us / 1e6, now)}${took_ms === undefined ? "" : `, took ${took_ms.toFixed(1)} ms`}`;
}

/** What a living daemon says of its present run. */
function runOf(daemon: Status["daemon"], now: number): Fact[] {
  const facts: Fact[] = [];
  if (daemon.started_us && daemon.committed !== undefined)
    facts.push(["Stored since the start", stored(daemon.committed, Math.max(now - daemon.started_us / 1e6, 0))]);
  if (daemon.last_commit_us === 0) facts.push(["Last commit", "none since the start"]);
  if (daemon.inbox_depth !== undefined && daemon.inbox_limit !== undefined)
    facts.push(["Waiting to be stored", `${daemon.inbox_depth} of ${daemon.inbox_limit} readings`]);
  if (daemon.rollup_state)
    facts.push(["Roll-ups", `${daemon.rollup_state}${daemon.rollup_error ? `: ${daemon.rollup_error}` : ""}`]);
  if (daemon.late !== undefined && daemon.repeated !== undefined && daemon.shifted !== undefined)
    facts.push(["Late, repeated, shifted", `${daemon.late}, ${daemon.repeated}, ${daemon.shifted} readings`]);
  if (daemon.web_state && daemon.web_restarts !== undefined)
    facts.push(["Web pages", `${daemon.web_state}, restarted ${plural(daemon.web_restarts, "time")}`]);
  if (daemon.clock?.sentence) facts.push(["Clock", daemon.clock.sentence]);
  return facts;
}

function stored(readings: number, since_s: number): string {
  const rate = since_s > TOO_SHORT_S && readings ? `, ${(readings / since_s).toPrecision(3)} a second` : "";
  return `${readings.toLocaleString("en").replaceAll(",", " ")} readings in ${duration(since_s)}${rate}`;
}

// Kinds of events are coloured by how serious they are, as sensorlogd/event_kinds.py says; and what the stream adds to an answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOfDatabase, levelOfEvent, listedEvents, withStreamed } from "../../src/state/events";
import { beginning, type LogEvent, type State } from "../../src/state/model";
import { read } from "../../src/state/route";

test("an event is coloured by its severity, whatever words its name is made of", () => {
  const levels = (kinds: string) => [...new Set(kinds.split(" ").map(levelOfEvent))];
  assert.deepEqual(levels("poisoned database_removed dropped corrupt disk_low spill_damaged"), ["bad"]);
  assert.deepEqual(levels("config_rejected database_blocked spilled unclean_end notify_failing wal_removed foreign_wal"), [
    "warn",
  ]);
  assert.deepEqual(levels("rollups_stale started connected note recovered"), [""]);
});

test("a kind of a newer release or of somebody's driver is a warning", () => {
  assert.deepEqual(["teleported", "", "constructor"].map(levelOfEvent), ["warn", "warn", "warn"]);
});

test("the page of the database shows what befell it, and nothing of sensors", () => {
  const shown =
    "dropped poisoned upkeep_failed wal_held foreign_wal spilled spill_taken_up backup_failed recovered corrupt salvaged";
  assert.ok(shown.split(" ").every(isOfDatabase));
  assert.ok(!"lost started clock_step web_down alarm_raised teleported".split(" ").some(isOfDatabase));
});

const event = (id: number, sensor: string | null = "a", kind = "lost") => ({ id, time: 0, sensor, kind, detail: "" }) as LogEvent;
const ids = (events: readonly LogEvent[]): number[] => events.map(({ id }) => id);

test("what the stream brought stands once, in the order of the log, whenever the answer was given", () => {
  assert.deepEqual(ids(withStreamed([event(4), event(6)], [event(4), event(5), event(6), event(7)])), [4, 5, 6, 7]);
  assert.deepEqual(ids(withStreamed([], [event(7), event(8)])), [7, 8]);
  assert.deepEqual(ids(withStreamed([event(4)], [])), [4]);
});

test("what is older than a whole answer stands on an earlier page", () => {
  assert.deepEqual(ids(withStreamed([event(4), event(6)], [event(2), event(3), event(7)])), [4, 6, 7]);
});

/** The ids of what is listed at an address, newest first, where 4 and 6 were answered. */
function listed(address: string, streamed: LogEvent[]): number[] {
  const events = { ...beginning().events, data: { events: [event(4), event(6)], earlier: null } };
  return ids(listedEvents({ route: read(address), events, recent: streamed } as State));
}

test("a list of events has of the stream what its question means: the sensor, the kind, both as globs", () => {
  const streamed = [event(7, "b"), event(8, null, "started"), event(9, "a", "connected"), event(10)];
  assert.deepEqual(listed("#/events", streamed), [10, 9, 8, 7, 6, 4]);
  assert.deepEqual(listed("#/events?sensor=a", streamed), [10, 9, 6, 4]);
  assert.deepEqual(listed("#/events?kind=lo*", streamed), [10, 7, 6, 4]);
  assert.deepEqual(listed("#/sensor/a", streamed), [10, 9, 6, 4]);
  assert.deepEqual(listed("#/sensor/a?kind=lost", streamed), [10, 6, 4]);
});

test("a page of earlier events has nothing of the stream", () => {
  assert.deepEqual(listed("#/events?before=7", [event(7), event(8)]), [6, 4]);
});

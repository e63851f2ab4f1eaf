// Kinds of events are coloured by how serious they are, as sensorlogd/event_kinds.py says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOfDatabase, levelOfEvent } from "../../src/state/events";

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

// The page of the database says what is known, and of a daemon's run only while it lives.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Database, Status } from "../../../src/load/types";
import { factsOf } from "../../../src/state/pages/database";
import { day } from "../../../src/state/words";

const NOW = 1.8e9;
const RUN = {
  version: "1.0",
  started_us: (NOW - 3600) * 1e6,
  committed: 7200,
  last_commit_us: (NOW - 1) * 1e6,
  last_commit_ms: 4.26,
  late: 1,
  repeated: 2,
  shifted: 3,
  inbox_depth: 5,
  inbox_limit: 100,
  rollup_state: "idle",
  web_state: "running",
  web_restarts: 0,
  clock: { sentence: "the clock is believed" },
};
const status = (daemon: Partial<Status["daemon"]>): Status => ({
  now: NOW,
  daemon: { state_now: "running", explanation: "", ...daemon },
  database: { path: "/data/log.db", bytes: 1e6, wal_bytes: 0 },
  sensors: [],
  config_errors: [],
  changes: false,
});
const log = (more: Partial<Database>): Database => ({
  bytes: 1e6,
  wal_bytes: 0,
  free_bytes: 0,
  disk_free_bytes: 1e9,
  first: NOW - 86_400,
  last: NOW,
  series: 1,
  events: 0,
  mends: 0,
  readings_per_day: null,
  bytes_per_day: null,
  expires: false,
  full: null,
  moved_until: null,
  rolled_up_until: null,
  hours_to_roll_up: 0,
  parts: null,
  incidents: [],
  ...more,
});
const names = (of: Status) => factsOf(of, null, NOW).map(([name]) => name);

test("where no daemon ever ran, nothing is said of one", () => {
  assert.deepEqual(names(status({ state_now: "never started" })), ["File", "Size"]);
  const begun = status({ state_now: "running" }); // it has not written its status yet
  assert.deepEqual(names(begun), ["File", "Size"]);
});

test("of a daemon that lives, all that it says of its run", () => {
  for (const state_now of ["running", "blocked", "hung"]) {
    const facts = new Map(factsOf(status({ ...RUN, state_now }), null, NOW));
    assert.equal(facts.get("Stored since the start"), "7 200 readings in 1 h, 2.00 a second");
    assert.match(facts.get("Last commit") ?? "", /, took 4\.3 ms$/);
    assert.equal(facts.get("Waiting to be stored"), "5 of 100 readings");
    assert.equal(facts.get("Late, repeated, shifted"), "1, 2, 3 readings");
    assert.equal(facts.get("Web pages"), "running, restarted 0 times");
    assert.equal(facts.get("Clock"), "the clock is believed");
  }
  const idle = new Map(factsOf(status({ ...RUN, committed: 0, last_commit_us: 0, last_commit_ms: 0 }), null, NOW));
  assert.equal(idle.get("Last commit"), "none since the start");
});

test("the time of a daemon that has ended does not go on", () => {
  for (const state_now of ["crashed", "stopped"])
    assert.deepEqual(names(status({ ...RUN, state_now })), ["File", "Size", "Last commit", "Version"]);
  assert.ok(!names(status({ ...RUN, state_now: "stopped", last_commit_us: 0 })).includes("Last commit"));
});

test("how it grows, as far as that is known", () => {
  const facts = (more: Partial<Database>) => new Map(factsOf(status({ state_now: "never started" }), log(more), NOW));
  assert.equal(facts({}).get("Full by"), undefined);
  assert.equal(facts({}).get("Rolled up until"), "not yet");
  const grows = { readings_per_day: 86_400, bytes_per_day: 2e6 };
  assert.equal(facts(grows).get("Full by"), "not within a century");
  const full = NOW + 86_400 * 365;
  assert.equal(facts({ ...grows, full }).get("Full by"), `${day(full)}, as it grows now (in 1 y)`);
  assert.equal(facts({ ...grows, expires: true }).get("Full by"), "not at all, if as much expires as comes");
  assert.match(
    facts({ rolled_up_until: NOW - 60, hours_to_roll_up: 2 }).get("Rolled up until") ?? "",
    /1 min behind.*; 2 hours of/,
  );
});

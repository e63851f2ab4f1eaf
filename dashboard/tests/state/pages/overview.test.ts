// Which sensors the overview lists, and in which groups.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SensorReport } from "../../../src/state/health";
import { grouped, groupings, healthOf, isFound } from "../../../src/state/pages/overview";

/** A sensor of one channel, "t", in °C. */
function report(name: string, labels: Record<string, string> = {}, health = "ok", says = ""): SensorReport {
  const channels = [{ series: `${name}.t`, unit: "°C", labels }];
  const level = health === "ok" ? "good" : "warn";
  return { sensor: { sensor: name, channels }, health, level, says, last: null } as unknown as SensorReport;
}

/** The names of groups, each with those of its sensors. */
const named = (reports: SensorReport[], by: string) =>
  grouped(reports, by).map(([name, members]) => [name, members.map((one) => one.sensor.sensor).join(" ")]);

test("sensors can be grouped by labels that tell them apart", () => {
  const sensors = [report("a", { room: "hall", site: "roof" }), report("b", { room: "attic", site: "roof" })];
  assert.deepEqual(groupings(sensors.map((one) => one.sensor)), ["room"]);
});

test("groups stand in the order of their names, sensors as they were; one without the label is in a group of its own", () => {
  const reports = [report("c", { floor: "10" }), report("b"), report("a", { floor: "2" }), report("d", { floor: "10" })];
  assert.deepEqual(named(reports, "floor"), [
    ["2", "a"],
    ["10", "c d"],
    ["no floor", "b"],
  ]);
  for (const by of ["", "none"]) assert.deepEqual(named(reports, by), [["", "c b a d"]]);
});

test("by name, the first word of it is the group", () => {
  assert.deepEqual(
    named(
      ["hall-2", "attic_1", "hall3", "7"].map((name) => report(name)),
      "name",
    ),
    [
      ["7", "7"],
      ["attic", "attic_1"],
      ["hall", "hall-2 hall3"],
    ],
  );
});

test("a group says how its sensors are", () => {
  assert.equal(healthOf([report("a"), report("b")]), "all ok");
  assert.equal(healthOf([report("a"), report("b", {}, "stale"), report("c")]), "2 ok, 1 stale");
});

test("a search looks at names, units, labels, states and what is said, without regard to case; a glob means whole series", () => {
  const one = report("Attic-1", { room: "North" }, "stale", "nothing for 3 min");
  assert.deepEqual(
    ["attic", "°c", "NORTH", "stale", "for 3", "*.t", "tic-1.t", "*.x", "t*", "south"].map((search) => isFound(one, search)),
    [true, true, true, true, true, true, true, false, false, false],
  );
});

// What happened in the range of a chart.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsShown, isMarked } from "../../../src/state/chart/events";
import type { LogEvent } from "../../../src/state/model";
import { charted } from "./made";

test("events are those of the range that concern what is shown, each once, also where the stream brought them", () => {
  const event = (id: number, time: number, sensor: string | null) => ({ id, time, sensor }) as LogEvent;
  const answered = { key: "", busy: false, data: { events: [event(1, 10, "a"), event(2, 20, "b")], periods: [] } };
  const state = { chartEvents: answered, recent: [event(1, 10, "a"), event(3, 30, null), event(4, 130, "a")] };
  const shown = eventsShown(state as unknown as Parameters<typeof eventsShown>[0], charted("t"));
  assert.deepEqual(
    shown.map((one) => one.id),
    [1, 3],
  );
});

test("what happens each day has no mark, nor have alarms, whose times are shaded", () => {
  const kinds = ["connected", "alarm_raised", "disconnected"].filter((kind) => isMarked({ kind }));
  assert.deepEqual(kinds, ["disconnected"]);
});

// What a chart draws of the answers to its questions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsShown, isMarked, linesOf, shownOf } from "../../../src/state/chart/drawn";
import type { ChartData, LogEvent } from "../../../src/state/model";
import { buckets } from "./made";

const data = (...channels: string[]): ChartData => ({
  series: channels.map((channel) => ({ ...buckets([1, 2]), channel })),
  before: [],
  unknown: [],
  notes: [],
  since: 0,
  until: 120,
  asked: 120,
});

test("each line knows its place, which is its colour, also while others are hidden", () => {
  const lines = linesOf(data("b", "c", "d"), [], false);
  const shown = shownOf(lines, new Set(["a.c"]));
  assert.deepEqual(
    shown.map((line) => [line.name, line.place]),
    [
      ["a.b", 0],
      ["a.d", 2],
    ],
  );
});

test("events are those of the range that concern what is shown, each once, also where the stream brought them", () => {
  const event = (id: number, time: number, sensor: string | null) => ({ id, time, sensor }) as LogEvent;
  const answered = { key: "", busy: false, data: { events: [event(1, 10, "a"), event(2, 20, "b")], periods: [] } };
  const state = { chartEvents: answered, recent: [event(1, 10, "a"), event(3, 30, null), event(4, 130, "a")] };
  const shown = eventsShown(state as unknown as Parameters<typeof eventsShown>[0], data("t"));
  assert.deepEqual(
    shown.map((one) => one.id),
    [1, 3],
  );
});

test("what happens each day has no mark, nor have alarms, whose times are shaded", () => {
  const kinds = ["connected", "alarm_raised", "disconnected"].filter((kind) => isMarked({ kind }));
  assert.deepEqual(kinds, ["disconnected"]);
});

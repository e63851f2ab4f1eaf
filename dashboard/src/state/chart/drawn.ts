// What a chart draws, from what was answered to its questions.

import type { ChartData, LogEvent, State } from "../model";
import { type Channel, seriesOf } from "../series";
import { type Line, line } from "./lines";

/** The lines of an answer, in its order. `known`: the channels that are known; `totals`: counters as their sum. */
export function linesOf(data: ChartData, known: readonly Channel[], totals: boolean): Line[] {
  const before = new Map(data.before.map((buckets) => [seriesOf(buckets), buckets]));
  const shift = data.until - data.since;
  return data.series.map((buckets, place) => {
    const name = seriesOf(buckets);
    const channel = known.find((channel) => channel.series === name);
    return line(buckets, channel, { totals, asked: data.asked, place, before: before.get(name), shift });
  });
}

/** Those of the lines that are drawn. */
export const shownOf = (lines: readonly Line[], hidden: ReadonlySet<string>): Line[] =>
  lines.filter((line) => !hidden.has(line.name));

/** What happens each day, and so is listed but not marked. */
const QUIET = new Set(["connected", "started", "stopped", "config_reloaded"]);

/** Whether an event has a mark in the pictures; alarms have their times shaded. */
export const isMarked = ({ kind }: { kind: string }): boolean => !QUIET.has(kind) && !kind.startsWith("alarm_");

/** What happened in the range to what is shown, or to the daemon; what came since by the stream, too. */
export function eventsShown(state: Pick<State, "chartEvents" | "recent">, data: ChartData | null): LogEvent[] {
  if (!data?.series.length) return [];
  const sensors = new Set(data.series.map((buckets) => buckets.sensor));
  const answered = state.chartEvents.data?.events ?? [];
  const known = new Set(answered.map((event) => event.id));
  return [...answered, ...state.recent.filter((event) => !known.has(event.id))].filter(
    (event) => event.time >= data.since && event.time <= data.until && (event.sensor === null || sensors.has(event.sensor)),
  );
}

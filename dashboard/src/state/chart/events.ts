// What happened in the range of a chart: which events are listed below it, and which of them have a mark in it.

import { withStreamed } from "../events";
import type { ChartData, LogEvent, State } from "../model";

/** What happens each day, and so is listed but not marked. */
const QUIET = new Set(["connected", "started", "stopped", "config_reloaded"]);

/** Whether an event has a mark in the pictures; alarms have their times shaded. */
export const isMarked = ({ kind }: { kind: string }): boolean => !QUIET.has(kind) && !kind.startsWith("alarm_");

/** What happened in the range to what is shown, or to the daemon; what came since by the stream, too. */
export function eventsShown({ chartEvents, recent }: Pick<State, "chartEvents" | "recent">, data: ChartData | null): LogEvent[] {
  if (!data?.series.length) return [];
  const sensors = new Set(data.series.map((buckets) => buckets.sensor));
  return withStreamed(chartEvents.data?.events ?? [], recent).filter(
    (event) => event.time >= data.since && event.time <= data.until && (event.sensor === null || sensors.has(event.sensor)),
  );
}

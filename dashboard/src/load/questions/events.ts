// The question of the page of events, and of the events on the page of a sensor.

import type { EventsData, LogEvent } from "../../state/model";
import type { Route } from "../../state/route";
import { ask, knows, type Query } from "../api";

/** Events on one page of events. */
const EVENTS_AT_ONCE = 200;

/** Events on the page of a sensor: its newest ones. */
export const EVENTS_OF_A_SENSOR = 50;

/** One page of events, the newest first, as the address filters them. Throws ApiError. */
export async function eventsOf(route: Route, signal: AbortSignal): Promise<EventsData> {
  const query: Query = { limit: route.page === "sensor" ? EVENTS_OF_A_SENSOR : EVENTS_AT_ONCE };
  const wanted: Record<string, string> = {
    sensor: route.sensor || (route.more["sensor"] ?? ""),
    kind: route.more["kind"] ?? "",
    before: route.more["before"] ?? "",
  };
  for (const [name, value] of Object.entries(wanted)) if (value && knows("events", name)) query[name] = value;
  const answer = (await ask("events", query, signal)) as { events: LogEvent[]; earlier?: number | null };
  return { events: answer.events, earlier: answer.earlier ?? null };
}

/** What of the address changes the answer. */
export const eventsKey = (route: Route): string =>
  `${route.page}|${route.sensor}|${route.more["sensor"] ?? ""}|${route.more["kind"] ?? ""}|${route.more["before"] ?? ""}`;

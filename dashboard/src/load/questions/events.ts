// The question of the page of events, and of the events on the page of a sensor.

import type { EventsData } from "../../state/model";
import { eventParameters } from "../../state/parameters";
import type { Route } from "../../state/route";
import { ask, type Query } from "../api";

/** Events on one page of events. */
const EVENTS_AT_ONCE = 200;

/** Events on the page of a sensor: its newest ones. */
export const EVENTS_OF_A_SENSOR = 50;

/** The newest events that the address means, or those of an earlier page; the oldest of them first. Throws ApiError. */
export function eventsOf(route: Route, signal: AbortSignal): Promise<EventsData> {
  const query: Query = { limit: route.page === "sensor" ? EVENTS_OF_A_SENSOR : EVENTS_AT_ONCE };
  for (const [name, value] of Object.entries(eventParameters(route))) if (value) query[name] = value;
  return ask("events", query, signal);
}

/** What of the address changes the answer. */
export const eventsKey = (route: Route): string => JSON.stringify([route.page, eventParameters(route)]);

// Events: how kinds of them are coloured, which are of the database, and what the stream adds to those that were asked for.

import { OF_DATABASE, SEVERITIES, type Severity } from "./event_kinds";
import type { Level } from "./health";
import type { LogEvent, State } from "./model";
import { eventParameters } from "./parameters";
import { matches } from "./series";

/** An event that is as it should be has no colour. */
const LEVELS: Record<Severity, Level | ""> = { info: "", warning: "warn", critical: "bad" };

/** How loud an event of this kind is shown. As everywhere in sensorlogd, a kind that is not known here is a warning. */
export const levelOfEvent = (kind: string): Level | "" =>
  LEVELS[Object.hasOwn(SEVERITIES, kind) ? (SEVERITIES[kind] as Severity) : "warning"];

/** Whether events of this kind stand on the page of the database. */
export const isOfDatabase = (kind: string): boolean => OF_DATABASE.has(kind);

/**
 * The events of an answer with those that the stream brought since, each once, in the order of their ids, which is that of the log.
 * What is older than the whole answer belongs to an earlier page of it, and is left out.
 */
export function withStreamed(answered: readonly LogEvent[], streamed: readonly LogEvent[]): LogEvent[] {
  const known = new Set(answered.map((event) => event.id));
  const oldest = answered[0]?.id ?? Number.NEGATIVE_INFINITY;
  const more = streamed.filter((event) => event.id > oldest && !known.has(event.id));
  return [...answered, ...more].sort((a, b) => a.id - b.id);
}

/** What the page of events and that of a sensor list, newest first: of a page of earlier events only the answer. */
export function listedEvents({ events, recent, route }: Pick<State, "events" | "recent" | "route">): LogEvent[] {
  const { sensor, kind, before } = eventParameters(route);
  const answered = events.data?.events ?? [];
  const isMeant = (event: LogEvent): boolean =>
    (!sensor || (event.sensor !== null && matches(event.sensor, sensor))) && (!kind || matches(event.kind, kind));
  return (before ? [...answered] : withStreamed(answered, recent.filter(isMeant))).reverse();
}

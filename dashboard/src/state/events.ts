// Kinds of events: how they are coloured, and which of them are of the database.

import { OF_DATABASE, SEVERITIES, type Severity } from "./event_kinds";
import type { Level } from "./health";

/** An event that is as it should be has no colour. */
const LEVELS: Record<Severity, Level | ""> = { info: "", warning: "warn", critical: "bad" };

/** How loud an event of this kind is shown. As everywhere in sensorlogd, a kind that is not known here is a warning. */
export const levelOfEvent = (kind: string): Level | "" =>
  LEVELS[Object.hasOwn(SEVERITIES, kind) ? (SEVERITIES[kind] as Severity) : "warning"];

/** Whether events of this kind stand on the page of the database. */
export const isOfDatabase = (kind: string): boolean => OF_DATABASE.has(kind);

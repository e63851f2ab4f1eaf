// Changes that the page requests and the daemon makes: flag a range, undo that, write a note, acknowledge alarms.

import { ask, iso, send } from "./api";
import type { Changes, Mend, Mended } from "./types";

/** A flag that may be given to a range of readings. */
export type Quality = Changes["flag"]["body"]["quality"];

/** All of them. */
export const QUALITIES: readonly Quality[] = ["fail", "suspect", "not_evaluated", "good"];

/** A range of series, with the note and the name that go with a change. */
export interface ChangeRequest {
  series: readonly string[];
  since: number;
  until: number;
  note: string;
  by: string;
}

/** Give every reading of the range this quality; returns what was changed, and which series were refused. Throws ApiError. */
export const flag = (of: ChangeRequest, quality: Quality): Promise<Changes["flag"]["answer"]> => {
  const { series, note, by } = of;
  return send("flag", { series: [...series], quality, since: iso(of.since), until: iso(of.until), note, by });
};

/** Take back a change, named by its number; returns what was restored. Throws ApiError. */
export const undo = (mend: number): Promise<Mended> => send("undo", { mend });

/** Write a note at the beginning of the marked range. Throws ApiError. */
export const note = async (of: ChangeRequest): Promise<void> => {
  await send("note", { series: [...of.series], at: iso(of.since), note: of.note, by: of.by });
};

/** The API takes no more alarms in one request. */
const ACKNOWLEDGED_AT_ONCE = 100;

/**
 * Acknowledge alarms (`alarm/series`), in as many requests as it takes; returns how many were waiting for it. Throws ApiError; what
 * the requests before had named is acknowledged.
 */
export const acknowledge = async (alarms: readonly string[], note: string, by: string): Promise<number> => {
  let done = 0;
  for (let at = 0; at < alarms.length; at += ACKNOWLEDGED_AT_ONCE) {
    const { acknowledged } = await send("ack", { alarms: alarms.slice(at, at + ACKNOWLEDGED_AT_ONCE), note, by });
    done += acknowledged.length;
  }
  return done;
};

/** What was changed afterwards in a range. Throws ApiError. */
export const mends = async (series: readonly string[], since: number, until: number): Promise<Mend[]> =>
  (await ask("mends", { series, since: iso(since), until: iso(until) })).mends;

/** Save a view; one of the same name is replaced. Throws ApiError. */
export const saveView = async (name: string, view: string): Promise<void> => {
  await send("panel_save", { name, view });
};

/** Delete a saved view. Throws ApiError. */
export const removeView = async (name: string): Promise<void> => {
  await send("panel_delete", { name });
};

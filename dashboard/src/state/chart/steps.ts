// When a step ends. The API lays long steps on the local calendar, so they are not all of one length.

import { seconds } from "../series";

const HOURS_OF_A_DAY = 24;
/** From so many hours on a step that divides a day is a part of the local day; shorter ones are of fixed length. */
const FEWEST_HOURS_OF_A_PART = 2;

/**
 * When the step that begins at `start` ends, both in seconds since 1970. `step`: as the API writes it, asked for in the zone of the
 * browser. Days, weeks, months and years are those of the local calendar, parts of a day (2h to 12h) end when the local clock shows
 * their end. Where clocks are set by less than an hour it may be the next step that says when this one ends.
 */
export function endOf(start: number, step: string): number {
  const length = seconds(step);
  const [, digits = "", unit = ""] = /^(\d+)(h|d|w|mo|y)$/.exec(step) ?? [];
  const count = Number(digits);
  const at = new Date(start * 1000);
  const [year, month, day] = [at.getFullYear(), at.getMonth(), at.getDate()];
  const local = (...parts: [number, number, number?, number?]) => new Date(...parts).getTime() / 1000;
  if (unit === "y") return local(year + count, month, day);
  if (unit === "mo") return local(year, month + count, day);
  if (unit === "w") return local(year, month, day + 7 * count);
  if (unit === "d") return local(year, month, day + count);
  if (unit !== "h" || count < FEWEST_HOURS_OF_A_PART || HOURS_OF_A_DAY % count !== 0) return start + length;
  return local(year, month, day, (Math.floor(at.getHours() / count) + 1) * count); // where clocks are set a part begins later
}

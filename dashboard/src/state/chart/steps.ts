// When a step ends. The API lays long steps on the local calendar, so they are not all of one length.

import { seconds } from "../series";

const HOURS_OF_A_DAY = 24;
/** From so many hours on a step that divides a day is a part of the local day; shorter ones are of fixed length. */
const FEWEST_HOURS_OF_A_PART = 2;

/** Steps of the calendar are so long on average, in seconds. */
const MEAN_S: Record<string, number> = { mo: 2_629_746, y: 31_556_952 };

/**
 * When the step that begins at `start` ends, both in seconds since 1970. `step`: as the API writes it, asked for in the zone of the
 * browser. Days, weeks, months and years are those of the local calendar, parts of a day (2h to 12h) end when the local clock shows
 * their end. Where clocks are set by less than an hour it may be the next step that says when this one ends.
 */
export const endOf = (start: number, step: string): number => later(start, step, 1);

/** The beginning of a step, in seconds since 1970, moved by `by_s` seconds, rounded to whole steps: it is the beginning of a step again. */
export function shifted(start: number, step: string, by_s: number): number {
  const [count, unit] = calendar(step);
  const steps = Math.round(by_s / (count * (MEAN_S[unit] ?? 0) || seconds(step) || 1));
  return steps === 0 ? start + by_s : later(start, step, steps); // a range shorter than its step has no whole ones
}

/** When the step begins that is `steps` later than the one that begins at `start`. */
function later(start: number, step: string, steps: number): number {
  const [count, unit] = calendar(step);
  if (!unit || (unit === "h" && (count < FEWEST_HOURS_OF_A_PART || HOURS_OF_A_DAY % count !== 0)))
    return start + steps * seconds(step);
  const at = new Date(start * 1000);
  const [year, month, day] = [at.getFullYear(), at.getMonth(), at.getDate()];
  const local = (...parts: [number, number, number?, number?]) => new Date(...parts).getTime() / 1000;
  if (unit === "y") return local(year + steps * count, month, day);
  if (unit === "mo") return local(year, month + steps * count, day);
  if (unit === "w") return local(year, month, day + 7 * steps * count);
  if (unit === "d") return local(year, month, day + steps * count);
  return local(year, month, day, (Math.floor(at.getHours() / count) + steps) * count); // where clocks are set a part begins later
}

/** How many of which unit a step is; 0 of none: it is no whole number of hours or of a unit of the calendar. */
function calendar(step: string): [number, string] {
  const [, digits = "", unit = ""] = /^(\d+)(h|d|w|mo|y)$/.exec(step) ?? [];
  return [Number(digits), unit];
}

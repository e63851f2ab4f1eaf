// Times, ages, sizes and states in words. One clock everywhere: 24 hours, the zone of the browser, which the page names.

/** The time zone of the browser, by its IANA name. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const two = (number: number) => String(number).padStart(2, "0");

/** Names of months, short. */
export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const PARTS: readonly (readonly [number, string])[] = [
  [31536000, "y"],
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** A length of time in its largest unit; below ten of those with what is left in the next smaller one. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  for (const [index, [width, name]] of PARTS.entries()) {
    if (seconds < width) continue;
    const whole = Math.floor(seconds / width);
    const next = PARTS[index + 1];
    const rest = next ? Math.floor((seconds % width) / next[0]) : 0;
    return whole < 10 && rest && next ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
  }
  return "";
}

/** How long ago something was; a time in the future is said to be ahead. */
export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < -2) return `${duration(-seconds)} ahead`;
  return seconds < 2 ? "now" : `${duration(seconds)} ago`;
}

/** The date, YYYY-MM-DD. `seconds`: since 1970. */
export function day(seconds: number): string {
  const at = new Date(seconds * 1000);
  return `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** The time of the day; `finer`: with milliseconds. */
export function clock(seconds: number, finer = false): string {
  const at = new Date(seconds * 1000);
  const thousandths = finer ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "";
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${thousandths}`;
}

/** The first year of a moment that people may choose: an earlier one is a year that is not yet typed to its end, such as 0002. */
const FIRST_YEAR = 1970;

/**
 * The time, in seconds since 1970, of a date (YYYY-MM-DD) and a time of that day (HH:MM or HH:MM:SS), both local. Null: they name
 * no time, or one before 1970.
 */
export function momentOf(date: string, time: string): number | null {
  const at = new Date(`${date}T${time.length === 5 ? `${time}:00` : time}`);
  return at.getFullYear() >= FIRST_YEAR ? at.getTime() / 1000 : null; // the year of no time is NaN
}

/** A time of the day, with its date unless that is the date of `now`; `finer`: with milliseconds. */
export function time(seconds: number, now: number, finer = false): string {
  return day(seconds) === day(now) ? clock(seconds, finer) : `${day(seconds)} ${clock(seconds, finer)}`;
}

/** From when to when, with dates unless all of it was on the day of `now`. */
export function span(since: number, until: number, now: number): string {
  return day(since) === day(until) && day(until) === day(now)
    ? `${clock(since)} to ${clock(until)}`
    : `${day(since)} ${clock(since)} to ${day(since) === day(until) ? "" : `${day(until)} `}${clock(until)}`;
}

/** A number of bytes in kB, MB or GB (powers of 1000). */
export function size(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Marks so far apart, in seconds, stand at the beginnings of years. */
const YEARS_APART_S = 365 * 86_400;

/** Marks of an axis of time: the day is said where it begins, and at the first mark; no two marks read alike. */
export function ticks(seconds: readonly number[], step: number): string[] {
  let today = "";
  let year = 0;
  return seconds.map((at, index) => {
    const date = new Date(at * 1000);
    if (step >= YEARS_APART_S) return String(date.getFullYear());
    const hour = `${two(date.getHours())}:${two(date.getMinutes())}`;
    const moment = step < 1 ? clock(at, true) : step < 60 ? clock(at) : hour;
    const named = `${date.getDate()} ${MONTHS[date.getMonth()]}`;
    const changed = named !== today;
    today = named;
    const other = date.getFullYear() !== year && (index > 0 || date.getFullYear() !== new Date().getFullYear());
    year = date.getFullYear();
    const whole = other ? `\n${year}` : "";
    if (step >= 86400) return changed ? `${named}${whole}` : hour;
    return changed ? `${moment}\n${named}${other ? ` ${year}` : ""}` : moment;
  });
}

/** A count with its noun in the right number. */
export const plural = (count: number, singular: string, many = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : many}`;

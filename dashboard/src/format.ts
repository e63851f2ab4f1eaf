// Numbers, ages and times for people.

const FIVE = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5, useGrouping: false });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e7 || size < 1e-4) ? value.toExponential(3) : FIVE.format(value);
}

export function age(seconds: number | null): string {
  if (seconds === null) return "never";
  if (seconds < 0) return "in the future";
  if (seconds < 1) return "now";
  const parts: [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  for (const [index, [width, name]] of parts.entries()) {
    if (seconds < width) continue;
    const whole = Math.floor(seconds / width);
    const next = parts[index + 1];
    const rest = next ? Math.floor((seconds % width) / next[0]) : 0;
    return whole < 10 && rest && next ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
  }
  return "now";
}

export function time(seconds: number): string {
  const at = new Date(seconds * 1000);
  return at.toDateString() === new Date().toDateString() ? CLOCK.format(at) : DAY.format(at);
}

// Both ends of a range; with their days unless both are today.
export function span(since: number, until: number): string {
  const today = new Date().toDateString();
  const near = [since, until].every((at) => new Date(at * 1000).toDateString() === today);
  return [since, until].map((at) => (near ? CLOCK : DAY).format(new Date(at * 1000))).join(" to ");
}

export function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

const two = (number: number) => String(number).padStart(2, "0");
const MONTH = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

// Labels of a time axis: the day is said where it begins, and at the first mark.
export function ticks(seconds: readonly number[], step: number): string[] {
  let day = "";
  let year = 0;
  return seconds.map((at, index) => {
    const date = new Date(at * 1000);
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}${step < 60 ? `:${two(date.getSeconds())}` : ""}${step < 1 ? `.${String(date.getMilliseconds()).padStart(3, "0")}` : ""}`;
    const today = MONTH.format(date);
    const changed = today !== day;
    day = today;
    const named = date.getFullYear() !== year && (index > 0 || date.getFullYear() !== new Date().getFullYear()) ? `\n${date.getFullYear()}` : "";
    year = date.getFullYear();
    if (step >= 86400) return changed || index === 0 ? `${today}${named}` : "";
    return changed ? `${clock}\n${today}` : clock;
  });
}

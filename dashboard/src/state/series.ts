// Series: which ones a pattern matches, the unit of a counter's rate, the length of a step.

import type { Channel } from "../load/types";

export type { Channel };

/** Whether a name is meant by `pattern`: a glob, a bare sensor, or (with `loose`) any part of the name. */
export function matches(name: string, pattern: string, loose = false): boolean {
  if (!/[*?[\]]/.test(pattern))
    return name === pattern || name.startsWith(`${pattern}.`) || (loose && name.toLowerCase().includes(pattern.toLowerCase()));
  try {
    return new RegExp(`^${sourceOf(pattern)}$`, loose ? "si" : "s").test(name);
  } catch {
    return false;
  }
}

/** A glob as a regular expression, as the server reads it (Python's fnmatch): [!a] is any character but a; [ without an end is itself. */
const sourceOf = (glob: string): string =>
  glob.replace(/\[(!?)(\]?[^\]]*)\]|[\s\S]/g, (part: string, not: string | undefined, members: string | undefined) => {
    if (members) return `[${not ? "^" : ""}${members.replace(/[\\\]^]/g, "\\$&")}]`;
    if (part === "*") return ".*";
    return part === "?" ? "." : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });

/** Every channel that one of the patterns means, each once; and the patterns that mean nothing. */
export function chosen(known: readonly Channel[], patterns: readonly string[]): { channels: Channel[]; nothing: string[] } {
  const channels = new Map<string, Channel>();
  const nothing: string[] = [];
  for (const pattern of patterns) {
    const full = pattern.includes(".") ? pattern : `${pattern}.*`; // as the server reads it
    const exact = known.filter((channel) => channel.series === pattern);
    const meant = exact.length
      ? exact
      : known.filter((channel) => matches(channel.series, full) && (!channel.retired || !/[*?[]/.test(pattern)));
    for (const channel of meant) channels.set(channel.series, channel);
    if (!meant.length) nothing.push(pattern);
  }
  return { channels: [...channels.values()], nothing };
}

/** The unit in which the rate of a counter is shown, and its factor from units a second: W for Wh, otherwise units an hour. */
export function rate(unit: string): { unit: string; factor: number } {
  if (unit.endsWith("Wh")) return { unit: unit.slice(0, -1), factor: 3600 };
  return { unit: unit ? `${unit}/h` : "1/h", factor: 3600 };
}

const SECONDS: Record<string, number> = {
  us: 1e-6,
  ms: 1e-3,
  s: 1,
  min: 60,
  h: 3600,
  d: 86400,
  w: 604800,
  mo: 2678400,
  y: 31622400,
};

/** A step as the API writes it; the longest that it can be. */
export function seconds(step: string): number {
  let sum = 0;
  for (const [, count, unit] of step.matchAll(/([\d.]+)\s*([a-z]+)/g)) sum += Number(count) * (SECONDS[unit ?? ""] ?? 0);
  return sum;
}

/** The name of a series: that of its sensor, a dot, that of its channel. */
export const seriesOf = (of: { sensor: string; channel: string }): string => `${of.sensor}.${of.channel}`;

/** The sensor of a series, by the name of the series. A name without a dot is that of a sensor, and stays as it is. */
export const sensorOf = (name: string): string => (name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : name);

// How long a state lasted: what a band is drawn from.

import type { Line } from "./lines";

/** A time, in seconds since 1970, in which a series was in one state. `mixed`: in others as well, within its steps. */
export interface Run {
  from: number;
  until: number;
  value: number;
  mixed: boolean;
}

/** Two runs in the same state that are less than this many seconds apart are one. */
const ONE_RUN_S = 1;

/** The runs of a line of states, the earliest first. A state lasts until the next value, but no longer than the line's `maxGap`. */
export function runsOf(line: Line): Run[] {
  const runs: Run[] = [];
  let next = Number.POSITIVE_INFINITY;
  for (let row = line.time.length - 1; row >= 0; row -= 1) {
    const [from, value] = [line.time[row] as number, line.mid[row]];
    if (typeof value !== "number") continue;
    const until = Math.min(next, from + line.maxGap);
    const mixed = line.low[row] !== line.high[row];
    const later = runs.at(-1);
    if (later && later.value === value && later.mixed === mixed && later.from - until < ONE_RUN_S) later.from = from;
    else runs.push({ from, until, value, mixed });
    next = from;
  }
  return runs.reverse();
}

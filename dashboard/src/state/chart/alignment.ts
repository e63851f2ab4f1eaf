// Several lines on one time, with their gaps: what uPlot draws from.

import type { Line } from "./lines";

/** Columns of all lines on one time: mid, low, high, before of each; null where a series was silent for longer than its `maxGap`. */
export function align(lines: readonly Line[]): { time: number[]; columns: (number | null | undefined)[][] } {
  const times = new Set<number>();
  const gaps: Set<number>[] = lines.map(() => new Set());
  lines.forEach((line, index) => {
    let last: number | null = null;
    line.time.forEach((at, row) => {
      if (line.mid[row] === null && line.high[row] === null && !line.before) return;
      const spoke = typeof line.mid[row] === "number";
      if (spoke && last !== null && at - last > line.maxGap) {
        const between = (at + last) / 2;
        times.add(between);
        gaps[index]?.add(between);
      }
      if (spoke) last = at;
      times.add(at);
    });
  });
  const time = [...times].sort((a, b) => a - b);
  const place = new Map(time.map((at, index) => [at, index]));
  const columns = lines.flatMap((line, index) => {
    const own: (number | null | undefined)[][] = [line.mid, line.low, line.high, line.before ?? []].map(() =>
      new Array(time.length).fill(undefined),
    );
    line.time.forEach((at, row) => {
      const where = place.get(at);
      if (where === undefined) return;
      for (const [column, from] of [line.mid, line.low, line.high, line.before ?? []].entries()) {
        const value = from[row];
        if (value !== null && value !== undefined) (own[column] as (number | null | undefined)[])[where] = value;
      }
    });
    for (const at of gaps[index] ?? []) {
      const where = place.get(at) as number;
      for (const column of [0, 1, 2]) (own[column] as (number | null | undefined)[])[where] = null;
    }
    return own;
  });
  return { time, columns };
}

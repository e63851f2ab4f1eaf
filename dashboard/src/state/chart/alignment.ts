// Several lines on one time, with their gaps: what uPlot draws from.

import type { Column } from "../columns";
import type { Line } from "./lines";

/** A value at each time; null: a gap; undefined: no point, the line goes on. */
type Curve = (number | null | undefined)[];

/**
 * Columns of all lines on one time: mid, low, high of each, and mid of its period before; null where a series was silent for longer
 * than its `maxGap`.
 */
export function align(lines: readonly Line[]): { time: number[]; columns: Curve[] } {
  const curves = lines.flatMap((line) => [
    { of: line, columns: [line.mid, line.low, line.high] },
    { of: line.before, columns: [line.before?.mid ?? []] },
  ]);
  const gaps = curves.map(({ of }) => (of ? gapsOf(of) : []));
  const times = new Set(gaps.flat());
  for (const { of } of curves)
    of?.time.forEach((at, row) => {
      if (of.mid[row] !== null || of.high[row] !== null) times.add(at);
    });
  const time = [...times].sort((a, b) => a - b);
  const place = new Map(time.map((at, index) => [at, index]));
  const columns = curves.flatMap(({ of, columns }, index) =>
    columns.map((column) => laid(of?.time ?? [], column, gaps[index] ?? [], place)),
  );
  return { time, columns };
}

/** A time in the middle of each silence that is longer than the `maxGap` of the line. */
function gapsOf(line: Line): number[] {
  const gaps: number[] = [];
  let last: number | null = null;
  line.time.forEach((at, row) => {
    if (typeof line.mid[row] !== "number") return;
    if (last !== null && at - last > line.maxGap) gaps.push((at + last) / 2);
    last = at;
  });
  return gaps;
}

/** The values of a column where their times have their place. */
function laid(times: readonly number[], column: Column, gaps: readonly number[], place: ReadonlyMap<number, number>): Curve {
  const curve: Curve = new Array(place.size).fill(undefined);
  times.forEach((at, row) => {
    const where = place.get(at);
    const value = column[row];
    if (where !== undefined && value !== null && value !== undefined) curve[where] = value;
  });
  for (const at of gaps) curve[place.get(at) as number] = null;
  return curve;
}

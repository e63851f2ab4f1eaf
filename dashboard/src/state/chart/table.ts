// The lines of a chart as rows of text: which values stand in one row.

import { NOTHING } from "../numbers";
import type { Line } from "./lines";
import { shownAt } from "./values";

/** A row of the table: when it begins, in seconds since 1970, and which row of each line is shown in it; undefined: none. */
export interface TableRow {
  at: number;
  shown: (number | undefined)[];
}

/**
 * The rows, newest first, and the longest step of the lines, in seconds. A row begins where a step of the lines with the longest
 * steps does: the API lays long steps on the local calendar, so these times cannot be computed from 1970 on. Of a line with shorter
 * steps the last value in the row counts. A value outside all of those steps has a row of its own.
 */
export function tableOf(lines: readonly Line[]): { rows: TableRow[]; step: number } {
  const step = Math.max(0, ...lines.map((line) => line.step));
  const longest = lines.filter((line) => line.step === step);
  const edges = [...new Set(longest.flatMap((line) => line.time))].sort((a, b) => a - b);
  const found = new Map<number, (number | undefined)[]>();
  lines.forEach((line, place) => {
    let passed = 0;
    line.time.forEach((time, row) => {
      if (typeof line.mid[row] !== "number") return;
      while (passed < edges.length && (edges[passed] as number) <= time) passed += 1;
      const edge = edges[passed - 1];
      const at = edge !== undefined && time < edge + step ? edge : time;
      const shown = found.get(at) ?? lines.map(() => undefined);
      shown[place] = row;
      found.set(at, shown);
    });
  });
  return { rows: [...found].map(([at, shown]) => ({ at, shown })).sort((a, b) => b.at - a.at), step };
}

/** What a row says: a text for each line. */
export const cellsOf = (lines: readonly Line[], { shown }: TableRow): string[] =>
  lines.map((line, place) => {
    const row = shown[place];
    return row === undefined ? NOTHING : shownAt(line, row).value;
  });

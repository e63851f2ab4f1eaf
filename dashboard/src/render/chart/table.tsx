// The same numbers as text. A row has values of the same step; where steps begin at different moments they share the coarsest one.

import { useMemo, useState } from "preact/hooks";
import { type Line, rowAt } from "../../state/chart/lines";
import { shownAt } from "../../state/chart/values";
import { NOTHING } from "../../state/numbers";
import { time } from "../../state/words";

const ROWS = 200;

/** The folded table below the pictures; its rows are made when it is opened. */
export function Table({ lines, now }: { lines: readonly Line[]; now: number }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Data table</summary>
      {open ? <Rows lines={lines} now={now} /> : null}
    </details>
  );
}

function Rows({ lines, now }: { lines: readonly Line[]; now: number }) {
  const { times, step } = useMemo(() => slots(lines), [lines]);
  const today = Math.floor(now / 3600); // what is today changes once a day
  const body = useMemo(
    () =>
      times.slice(0, ROWS).map((at) => (
        <tr key={at}>
          <th scope="row">{time(at, now, step < 1)}</th>
          {lines.map((line) => (
            <td key={line.name}>{cell(line, at, step)}</td>
          ))}
        </tr>
      )),
    [lines, times, today],
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section class="scroll" tabIndex={0} aria-label="Data table">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map((line) => (
              <th key={line.name} scope="col">
                {line.name}
                {line.unit ? ` [${line.unit}]` : ""}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{body}</tbody>
      </table>
      {times.length > ROWS ? <p class="unit">{times.length - ROWS} more: zoom in, or take the CSV file.</p> : null}
    </section>
  );
}

/** The times of rows, newest first: those of the line with the longest steps. */
function slots(lines: readonly Line[]): { times: number[]; step: number } {
  const gaps = lines.map((line) => line.step);
  const step = Math.max(0, ...gaps);
  const times = new Set<number>();
  for (const line of lines)
    line.time.forEach((at, row) => {
      if (typeof line.mid[row] === "number") times.add(step ? Math.floor(at / step + 1e-9) * step : at);
    });
  return { times: [...times].sort((a, b) => b - a), step };
}

/** The value in the row of a table that begins at `at` and is `step` seconds long. */
function cell(line: Line, at: number, step: number): string {
  const row = rowAt(line, at + Math.max(step - line.step, 0), step * 0.999);
  const found = row === null ? undefined : line.time[row];
  if (row === null || found === undefined || found < at - 1e-3 || found >= at + step) return NOTHING;
  return shownAt(line, row).value;
}

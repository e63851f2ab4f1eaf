// The same numbers as text.

import { useMemo, useState } from "preact/hooks";
import type { Line } from "../../state/chart/lines";
import { cellsOf, tableOf } from "../../state/chart/table";
import { day, time } from "../../state/words";

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
  const { rows, step } = useMemo(() => tableOf(lines), [lines]);
  const today = day(now); // a row of today has no date
  const body = useMemo(
    () =>
      rows.slice(0, ROWS).map((row) => (
        <tr key={row.at}>
          <th scope="row">{time(row.at, now, step < 1)}</th>
          {cellsOf(lines, row).map((text, place) => (
            <td key={lines[place]?.name}>{text}</td>
          ))}
        </tr>
      )),
    [lines, rows, today],
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
      {rows.length > ROWS ? <p class="unit">{rows.length - ROWS} more: zoom in, or take the CSV file.</p> : null}
    </section>
  );
}

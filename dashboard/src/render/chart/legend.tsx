// The legend: value at the cursor, or the last; smallest, mean and largest of the range, and how many readings are flagged.

import { type Line, rowAt } from "../../state/chart/lines";
import { readAs, shownAt } from "../../state/chart/values";
import type { State } from "../../state/model";
import { computed, NOTHING } from "../../state/numbers";
import type { Act } from "../act";
import { Breakable } from "../parts/texts";
import { COLOURS } from "./palette";

/** The table below a picture: one row for each line, which a click hides or shows. */
export function Legend({ lines, state, act }: { lines: readonly Line[]; state: State; act: Act }) {
  const { cursor, route } = state;
  return (
    <table class="legend">
      <thead>
        <tr>
          {[
            "Series",
            cursor !== null ? "at the cursor" : route.until === null ? "now" : "last",
            "min",
            "mean",
            "max",
            "flagged",
          ].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => {
          const off = route.hidden.includes(line.name);
          const { place, summary } = line;
          return (
            <tr key={line.name} class={`c${(place % COLOURS) + 1}${off ? " off" : ""}`} data-series={line.name}>
              <th scope="row">
                <button
                  type="button"
                  class="plainly"
                  aria-pressed={!off}
                  onClick={() => act.toggle(line.name)}
                  title={off ? "Show it" : "Hide it"}
                >
                  <span class={`key${place >= COLOURS ? " dashed" : ""}`} />
                  <span class="name">
                    <Breakable>{line.name}</Breakable>
                  </span>
                </button>
              </th>
              <td data-label="">
                <output>{at(line, cursor)}</output>
              </td>
              <td data-label="min">{readAs(line, summary.min)}</td>
              <td data-label="mean">{computed(summary.mean, line.places)}</td>
              <td data-label="max">{readAs(line, summary.max)}</td>
              <td data-label="flagged" class={summary.flagged ? "warn" : ""}>
                {summary.flagged || NOTHING}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The value at the cursor with its band; without a cursor the last one. */
function at(line: Line, cursor: number | null): string {
  const unit = line.unit ? ` ${line.unit}` : "";
  if (cursor === null) return line.summary.last === null ? NOTHING : `${readAs(line, line.summary.last)}${unit}`;
  const row = rowAt(line, cursor, line.step);
  if (row === null) return NOTHING;
  const { value, band } = shownAt(line, row);
  return `${value}${unit}${band ? ` (${band.low} … ${band.high})` : ""}`;
}

// The legend: value at the cursor, and smallest, mean, largest, last of the range.

import { type Line, rowAt } from "../../state/chart/lines";
import type { State } from "../../state/model";
import { computed, NOTHING, text } from "../../state/numbers";
import type { Act } from "../act";
import { Breakable } from "../parts/texts";
import { COLOURS } from "./palette";

/** The table below a picture: one row for each line, which a click hides or shows. */
export function Legend({
  lines,
  all,
  state,
  act,
  step,
}: {
  lines: readonly Line[];
  all: readonly Line[];
  state: State;
  act: Act;
  step: number;
}) {
  return (
    <table class="legend">
      <thead>
        <tr>
          {["Series", state.cursor === null ? "now" : "at the cursor", "min", "mean", "max", "flagged"].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => {
          const place = all.indexOf(line);
          const off = state.hidden.has(line.name);
          const { summary } = line;
          const exact = (value: number | null) =>
            line.kind === "rate" ? computed(value, line.places) : text(value, line.decimals);
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
                <output>{at(line, state.cursor, step)}</output>
              </td>
              <td data-label="min">{exact(summary.min)}</td>
              <td data-label="mean">{computed(summary.mean, line.places)}</td>
              <td data-label="max">{exact(summary.max)}</td>
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
function at(line: Line, cursor: number | null, step: number): string {
  const unit = line.unit ? ` ${line.unit}` : "";
  if (cursor === null) {
    const { last } = line.summary;
    return last === null ? NOTHING : `${line.kind === "rate" ? computed(last, line.places) : text(last, line.decimals)}${unit}`;
  }
  const row = rowAt(line, cursor, step || 1);
  if (row === null) return NOTHING;
  const [mid, low, high] = [line.mid[row], line.low[row], line.high[row]];
  if (low === high) return `${line.kind === "rate" ? computed(mid, line.places) : text(low, line.decimals)}${unit}`;
  return `${computed(mid, line.places)}${unit} (${text(low, line.decimals)} … ${text(high, line.decimals)})`;
}

// The legend: value at the cursor, and smallest, mean, largest, last of the range.

import { type Line, rowAt } from "../../state/frame";
import type { State } from "../../state/model";
import { computed, NOTHING, text } from "../../state/numbers";
import type { Act } from "../act";
import { Name } from "../parts";
import { COLOURS } from "./palette";

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
        {lines.map((one) => {
          const place = all.indexOf(one);
          const off = state.hidden.has(one.name);
          const { figures } = one;
          const exact = (value: number | null) => (one.kind === "rate" ? computed(value, one.places) : text(value, one.decimals));
          return (
            <tr key={one.name} class={`c${(place % COLOURS) + 1}${off ? " off" : ""}`} data-series={one.name}>
              <th scope="row">
                <button
                  type="button"
                  class="plainly"
                  aria-pressed={!off}
                  onClick={() => act.toggle(one.name)}
                  title={off ? "Show it" : "Hide it"}
                >
                  <span class={`key${place >= COLOURS ? " dashed" : ""}`} />
                  <span class="name">
                    <Name>{one.name}</Name>
                  </span>
                </button>
              </th>
              <td data-label="">
                <output>{at(one, state.cursor, step)}</output>
              </td>
              <td data-label="min">{exact(figures.min)}</td>
              <td data-label="mean">{computed(figures.mean, one.places)}</td>
              <td data-label="max">{exact(figures.max)}</td>
              <td data-label="flagged" class={figures.flagged ? "warn" : ""}>
                {figures.flagged || NOTHING}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The value at the cursor with its band; without a cursor the last one. */
function at(one: Line, cursor: number | null, step: number): string {
  const unit = one.unit ? ` ${one.unit}` : "";
  if (cursor === null) {
    const { last } = one.figures;
    return last === null ? NOTHING : `${one.kind === "rate" ? computed(last, one.places) : text(last, one.decimals)}${unit}`;
  }
  const row = rowAt(one, cursor, step || 1);
  if (row === null) return NOTHING;
  const [mid, low, high] = [one.mid[row], one.low[row], one.high[row]];
  if (low === high) return `${one.kind === "rate" ? computed(mid, one.places) : text(low, one.decimals)}${unit}`;
  return `${computed(mid, one.places)}${unit} (${text(low, one.decimals)} … ${text(high, one.decimals)})`;
}

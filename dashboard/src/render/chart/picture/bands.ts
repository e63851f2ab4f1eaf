// States as bands.

import type uPlot from "uplot";
import type { Line } from "../../../state/chart/lines";
import { runsOf } from "../../../state/chart/runs";
import { text } from "../../../state/numbers";
import { colourOf, style } from "../palette";

/**
 * A band for each series of states, from the top in their order: one colour a state, its value in it where there is room; half height
 * where it changed within a step.
 */
export function bands(plot: uPlot, lines: readonly Line[]): void {
  const { ctx, bbox } = plot;
  const height = bbox.height / lines.length;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  lines.forEach((line, index) => {
    const top = bbox.top + index * height + height * 0.15;
    const tall = height * 0.7;
    for (const run of runsOf(line)) {
      const x = Math.max(plot.valToPos(run.from, "x", true), bbox.left);
      const end = Math.min(plot.valToPos(run.until, "x", true), bbox.left + bbox.width);
      if (end <= x) continue;
      ctx.fillStyle = stateColour(run.value, line.place);
      ctx.globalAlpha = run.mixed ? 0.6 : 1;
      ctx.fillRect(x, run.mixed ? top + tall / 4 : top, Math.max(end - x, 1), run.mixed ? tall / 2 : tall);
      ctx.globalAlpha = 1;
      const shown = text(run.value);
      if (end - x < ctx.measureText(shown).width + 12 * devicePixelRatio) continue;
      ctx.fillStyle = run.value === 0 ? style("--text") : style("--card");
      ctx.fillText(shown, x + 6 * devicePixelRatio, top + tall / 2);
    }
  });
  ctx.restore();
}

/** Zero, which is off, is grey; one has the colour of the legend. */
const stateColour = (value: number, place: number): string =>
  value === 0 ? style("--line") : colourOf(place + Math.abs(Math.round(value)) - 1);

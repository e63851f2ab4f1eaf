// States as bands.

import type uPlot from "uplot";
import type { Line } from "../../../state/chart/lines";
import { runsOf } from "../../../state/chart/runs";
import { text } from "../../../state/numbers";
import { colourOf, style } from "../palette";

/** From where to where in its row a band reaches, as shares of the row: alone, above that of the period before, and that one. */
const ALONE = [0.15, 0.85] as const;
const ABOVE = [0.1, 0.6] as const;
const BEFORE = [0.68, 0.9] as const;
/** How much of its colour a band has where a state changed within a step, and in the period before. */
const MIXED_ALPHA = 0.6;
const BEFORE_ALPHA = 0.4;

/** A row for each series of states, from the top in their order: its band, and below that a low, pale one of the period before. */
export function bands(plot: uPlot, lines: readonly Line[]): void {
  const { ctx, bbox } = plot;
  const row = bbox.height / lines.length;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  lines.forEach((line, index) => {
    const place = ([from, to]: readonly [number, number]) => ({ top: bbox.top + (index + from) * row, tall: (to - from) * row });
    band(plot, line, place(line.before ? ABOVE : ALONE), 1);
    if (line.before) band(plot, line.before, place(BEFORE), BEFORE_ALPHA);
  });
  ctx.restore();
}

/** One colour a state, its value in it where there is room; half height where it changed within a step. */
function band(plot: uPlot, line: Line, { top, tall }: { top: number; tall: number }, alpha: number): void {
  const { ctx, bbox } = plot;
  for (const run of runsOf(line)) {
    const x = Math.max(plot.valToPos(run.from, "x", true), bbox.left);
    const end = Math.min(plot.valToPos(run.until, "x", true), bbox.left + bbox.width);
    if (end <= x) continue;
    ctx.fillStyle = stateColour(run.value, line.place);
    ctx.globalAlpha = run.mixed ? alpha * MIXED_ALPHA : alpha;
    ctx.fillRect(x, run.mixed ? top + tall / 4 : top, Math.max(end - x, 1), run.mixed ? tall / 2 : tall);
    ctx.globalAlpha = 1;
    const shown = text(run.value);
    if (alpha < 1 || end - x < ctx.measureText(shown).width + 12 * devicePixelRatio) continue;
    ctx.fillStyle = run.value === 0 ? style("--text") : style("--card");
    ctx.fillText(shown, x + 6 * devicePixelRatio, top + tall / 2);
  }
}

/** Zero, which is off, is grey; one has the colour of the legend. */
const stateColour = (value: number, place: number): string =>
  value === 0 ? style("--line") : colourOf(place + Math.abs(Math.round(value)) - 1);

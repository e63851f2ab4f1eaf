// What uPlot is given to draw lines: four curves a line, a scale and an axis a unit.

import uPlot from "uplot";
import type { Limit } from "../../../state/alarms";
import { reachOf } from "../../../state/chart/axes";
import type { Line } from "../../../state/chart/lines";
import { axis } from "../../../state/numbers";
import { ticks } from "../../../state/words";
import { NARROW_PX } from "../../widths";
import { colourOf, dashOf, style } from "../palette";

/** What the options depend on. */
export interface PictureContent {
  lines: readonly Line[];
  limits: readonly Limit[];
  /** Names of lines that are not drawn. */
  hidden: ReadonlySet<string>;
  /** Axes on the right of the picture that has the most: room is kept for them, so that times stand below each other. */
  rights: number;
}

type Options = Pick<uPlot.Options, "padding" | "series" | "bands" | "scales" | "axes">;

const FONT = "12px system-ui, sans-serif";

/** The name of the scale on which values in this unit are drawn. */
export const scaleOf = (unit: string): string => unit || "none";

/** The units of lines, each once, in their order; the first has its axis on the left. */
export const unitsOf = (lines: readonly Line[]): string[] => [...new Set(lines.map((line) => line.unit))];

/** Whether lines are all of states, which are drawn as bands, without an axis of values. */
export const areStates = (lines: readonly Line[]): boolean => lines.every((line) => line.kind === "state");

/** What uPlot cannot change in a picture that stands: where this has become different, the picture is made anew. */
export const looksOf = ({ lines, hidden, rights }: PictureContent, dark: boolean): string =>
  JSON.stringify([
    lines.map((line) => [line.name, line.unit, line.kind, line.place, line.before !== null, hidden.has(line.name)]),
    rights,
    dark,
  ]);

/** `shown`: as it is at that moment, because the picture lives longer than its lines. `width`: of the picture, in pixels. */
export function optionsOf(shown: () => PictureContent, width: number): Options {
  const { lines, rights } = shown();
  const aside = (width <= NARROW_PX ? 44 : 52) + 18;
  const own = areStates(lines) ? 0 : unitsOf(lines).length - 1;
  return {
    padding: [8, Math.max(rights - own, 0) * aside + (rights ? 0 : 12), 0, 0],
    ...curves(shown()),
    ...(areStates(lines) ? axisOfStates(aside) : axesOfUnits(shown, aside)),
  };
}

/** Of each line: itself, its minima and maxima (a band is filled between them), and the period before. */
function curves({ lines, hidden }: PictureContent): Pick<Options, "series"> & { bands: uPlot.Band[] } {
  const states = areStates(lines);
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  lines.forEach((line, index) => {
    const colour = colourOf(line.place);
    const show = !hidden.has(line.name);
    const angle = line.kind === "angle";
    const base: uPlot.Series = { scale: states ? "states" : scaleOf(line.unit), show, points: { show: false } };
    const middle: uPlot.Series = {
      ...base,
      label: line.name,
      stroke: colour,
      width: 1.6,
      dash: dashOf(line.place),
      points: angle ? { show: true, size: 3, fill: colour } : { size: 4 },
    };
    if (angle || states) middle.paths = () => null; // 359 and 1 are neighbours: a line between them would lie
    if (states) middle.points = { show: false };
    if (line.kind === "rate" && stepped) middle.paths = stepped;
    const edge: uPlot.Series = { ...base, stroke: "transparent", show: show && !angle && !states };
    const before: uPlot.Series = { ...middle, label: `${line.name} before`, width: 1.2, dash: [3, 4], alpha: 0.75 };
    if (!angle && !states) before.points = { size: 3 };
    series.push(middle, { ...edge, label: `${line.name} minimum` }, { ...edge, label: `${line.name} maximum` }, before);
    if (!angle && !states && show) bands.push({ series: [4 * index + 3, 4 * index + 2], fill: `${colour}2e` });
  });
  return { series, bands };
}

function axisOfTime(): uPlot.Axis {
  const grid = { stroke: style("--grid"), width: 1 };
  return {
    stroke: style("--muted"),
    grid,
    ticks: grid,
    font: FONT,
    space: 64,
    values: (_, splits, __, ___, step) => ticks(splits, step),
  };
}

/** Bands have no marks at their side, only the room of an axis. */
function axisOfStates(aside: number): Pick<Options, "scales" | "axes"> {
  const none = { show: false };
  return {
    scales: { x: { time: true }, states: { range: [0, 1] } },
    axes: [
      axisOfTime(),
      { scale: "states", show: true, size: aside, values: () => [], splits: () => [], grid: none, ticks: none },
    ],
  };
}

function axesOfUnits(shown: () => PictureContent, aside: number): Pick<Options, "scales" | "axes"> {
  const { lines } = shown();
  const units = unitsOf(lines);
  const grid = { stroke: style("--grid"), width: 1 };
  const labelled = units[0] ? 0 : 18; // an axis without a unit is as wide as one with it
  const axes = units.map(
    (unit, index): uPlot.Axis => ({
      scale: scaleOf(unit),
      side: index === 0 ? 3 : 1,
      stroke: style("--muted"),
      grid: index === 0 ? grid : { show: false },
      ticks: grid,
      font: FONT,
      size: (plot, marks) => Math.max(widest(plot, marks), aside - 18) + (index === 0 ? labelled : 0),
      label: unit,
      labelSize: unit ? 18 : 0,
      labelFont: FONT,
      labelGap: 0,
      gap: 4,
      values: (_, splits) => axis(splits),
      ...(areAngles(lines, unit) ? { splits: () => [0, 90, 180, 270, 360] } : {}),
    }),
  );
  const scales = units.map((unit): [string, uPlot.Scale] => [scaleOf(unit), { range: () => reach(shown(), unit) }]);
  return { scales: { x: { time: true }, ...Object.fromEntries(scales) }, axes: [axisOfTime(), ...axes] };
}

const areAngles = (lines: readonly Line[], unit: string): boolean =>
  lines.filter((line) => line.unit === unit).every((line) => line.kind === "angle");

/** From where to where the axis of a unit reaches. */
function reach({ lines, limits, hidden }: PictureContent, unit: string): [number, number] {
  return reachOf(
    lines.filter((line) => line.unit === unit && !hidden.has(line.name)),
    limits.filter((limit) => limit.unit === unit).map((limit) => limit.value),
  );
}

/** The width of an axis with these marks: that of the longest. */
function widest(plot: uPlot, marks: readonly string[] | null): number {
  const longest = (marks ?? []).reduce((most, text) => (String(text).length > most.length ? String(text) : most), "000");
  plot.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  return Math.ceil(plot.ctx.measureText(longest).width / devicePixelRatio) + 18;
}

// Gestures on a picture: what a key, the wheel, the pointer and a selection do to it. Those of fingers are in touch.ts.

import type uPlot from "uplot";
import { type Line, rowAt } from "../../../state/chart/lines";
import { shownAt } from "../../../state/chart/values";
import { time } from "../../../state/words";

/** What a gesture on a picture can do. */
export interface Gestures {
  zoom(since: number, until: number): void;
  pan(share: number): void;
  scale(factor: number, around?: number): void;
  cursor(at: number | null): void;
  say(text: string): void;
}

/** The cursor stands at a reading of one line; of the others one is said that is no further away than this part of the range. */
const SPOKEN_NEAR = 50;

/** What is said of the time under the cursor. */
export interface Spoken {
  lines: readonly Line[];
  /** Names of lines that are not drawn. */
  hidden: ReadonlySet<string>;
  since: number;
  until: number;
  now: number;
}

/** A part was selected by dragging: zoom to it. */
export function selected(plot: uPlot, gestures: Gestures): void {
  const { left, width } = plot.select;
  if (width < 5) return;
  gestures.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}

/** The pointer has moved, or has left the picture. */
export function pointed(plot: uPlot, gestures: Gestures): void {
  const { left, idx } = plot.cursor;
  if (left === undefined || left < 0 || idx === null || idx === undefined) gestures.cursor(null);
  else gestures.cursor(plot.data[0][idx] ?? null);
}

/** With the control key the wheel zooms around the pointer; without it the page scrolls, as pages do. */
export function wheeled(event: WheelEvent, plot: uPlot, gestures: Gestures): void {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const left = event.clientX - plot.over.getBoundingClientRect().left;
  gestures.scale(event.deltaY < 0 ? 0.7 : 1.4, plot.posToVal(left, "x"));
}

/** Arrows, Home and End move the cursor and speak; plus and minus zoom; page up and down move in time. Other keys are left alone. */
export function pressed(event: KeyboardEvent, plot: uPlot, spoken: Spoken, gestures: Gestures): void {
  const times = plot.data[0];
  const last = times.length - 1;
  const now = plot.cursor.idx ?? (event.key === "ArrowLeft" ? last + 1 : -1);
  const stride = event.shiftKey ? 10 : 1;
  const jumps: Record<string, number> = { ArrowRight: now + stride, ArrowLeft: now - stride, Home: 0, End: last };
  if (event.key in jumps && last >= 0) {
    const index = Math.min(Math.max(jumps[event.key] ?? 0, 0), last);
    const at = times[index] ?? 0;
    const where = { left: plot.valToPos(at, "x"), top: plot.over.clientHeight / 2 };
    (plot.setCursor as (where: object, fire: boolean, publish: boolean) => void)(where, true, true); // the other charts follow
    gestures.cursor(at);
    gestures.say(valuesAt(at, spoken));
  } else if (event.key === "+" || event.key === "=") gestures.scale(0.5, times[plot.cursor.idx ?? -1]);
  else if (event.key === "-") gestures.scale(2, times[plot.cursor.idx ?? -1]);
  else if (event.key === "PageUp") gestures.pan(-0.5);
  else if (event.key === "PageDown") gestures.pan(0.5);
  else return;
  event.preventDefault();
}

/** A time and the values at it of all lines that are drawn, as a sentence each. */
export function valuesAt(at: number, { lines, hidden, since, until, now }: Spoken): string {
  const near = (until - since) / SPOKEN_NEAR;
  const values = lines
    .filter((line) => !hidden.has(line.name))
    .map((line) => {
      const row = rowAt(line, at, Math.max(line.step, near));
      if (row === null) return `${line.name}: nothing`;
      const { value, band } = shownAt(line, row);
      return `${line.name}: ${value} ${line.unit}${band ? `, from ${band.low} to ${band.high}` : ""}`;
    });
  return `${time(at, now)}. ${values.join(". ")}`;
}

// One finger moves in time, two zoom. A tap moves the cursor, which is uPlot's.

import type uPlot from "uplot";
import type { Gestures } from "./gestures";

/** Fingers that are closer together than this, in CSS pixels, tell no zoom: each pixel would be a large part of their distance. */
const CLOSEST_PX = 10;
/** Changes by a smaller share than these are a hand that is not quite still: of the range by a pinch, of the width by a swipe. */
const LEAST_PINCH = 0.1;
const LEAST_SWIPE = 0.05;

/** `gestures`: as they are at that moment; the picture lives longer than what is shown in it. */
export function touch(plot: uPlot, gestures: () => Gestures): void {
  const over = plot.over;
  const down = new Map<number, number>();
  let began: { left: number; spread: number } | null = null;
  const middle = () => [...down.values()].reduce((sum, x) => sum + x, 0) / down.size;
  const spread = () => {
    const [first, two] = [...down.values()];
    return first === undefined || two === undefined ? 0 : Math.abs(first - two);
  };
  over.style.touchAction = "pan-y";
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    down.set(event.pointerId, event.clientX);
    began = { left: middle(), spread: spread() };
  });
  over.addEventListener("pointermove", (event) => {
    if (down.has(event.pointerId)) down.set(event.pointerId, event.clientX);
  });
  over.addEventListener("pointerup", (event) => {
    const fingers = down.size;
    const [left, apart] = [middle(), spread()];
    if (!down.delete(event.pointerId) || !began) return;
    const { left: from, spread: before } = began;
    began = null; // a finger that stays down after a pinch does not swipe
    if (fingers > 1) {
      const grown = before > CLOSEST_PX && apart > CLOSEST_PX ? before / apart : 1;
      if (Math.abs(grown - 1) > LEAST_PINCH)
        gestures().scale(grown, plot.posToVal(left - over.getBoundingClientRect().left, "x"));
    } else {
      const by = (left - from) / over.clientWidth;
      if (Math.abs(by) > LEAST_SWIPE) gestures().pan(-by);
    }
  });
  over.addEventListener("pointercancel", (event) => {
    if (down.delete(event.pointerId)) began = null;
  });
}

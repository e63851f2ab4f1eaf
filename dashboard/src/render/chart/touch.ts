// One finger moves in time, two zoom. A tap moves the cursor, which is uPlot's.

import type uPlot from "uplot";
import type { Gestures } from "./gestures";

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
    if (!down.has(event.pointerId) || !began) return;
    const by = (middle() - began.left) / over.clientWidth;
    const grown = down.size > 1 && began.spread > 10 && spread() > 10 ? began.spread / spread() : 1;
    const centre = plot.posToVal(middle() - over.getBoundingClientRect().left, "x");
    down.delete(event.pointerId);
    const alone = down.size === 0 && began.spread === 0;
    began = null;
    if (Math.abs(grown - 1) > 0.1) gestures().scale(grown, centre);
    else if (alone && Math.abs(by) > 0.05) gestures().pan(-by);
  });
  over.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
}

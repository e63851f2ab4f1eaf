// A small curve of the last hour.

import type { Buckets } from "./api";

const WIDTH = 140;
const HEIGHT = 34;
const SVG = "http://www.w3.org/2000/svg";

export function draw(target: Element, found: Buckets, heartbeat: number, step: number): void {
  const values = found.mean.filter((one): one is number => one !== null);
  target.replaceChildren();
  if (!values.length) return;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = found.until - found.since || 1;
  let path = "";
  let before: number | null = null;
  found.time.forEach((at, row) => {
    const value = found.mean[row];
    if (value === null || value === undefined) return;
    const x = (((at - found.since) / span) * (WIDTH - 4) + 2).toFixed(1);
    const y = (high === low ? HEIGHT / 2 : HEIGHT - 4 - ((value - low) / (high - low)) * (HEIGHT - 8)).toFixed(1);
    path += `${before === null || at - before > heartbeat + step * 1.01 ? "M" : "L"}${x} ${y}`;
    if (before === null || at - before > heartbeat + step * 1.01) path += `h.01`;
    before = at;
  });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  target.append(svg);
}

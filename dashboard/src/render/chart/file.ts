// The charts of the page as one picture file.

import type { Line } from "../../state/chart/lines";
import { colourOf, style } from "./palette";

/** Draw the charts of the page below each other, with the names of these lines and a caption, and offer that as a PNG file. */
export function save(lines: readonly Line[], caption: string): void {
  const canvases = [...document.querySelectorAll<HTMLCanvasElement>(".chart canvas")];
  const [first] = canvases;
  if (!first) return;
  const ratio = devicePixelRatio;
  const row = 20 * ratio;
  const sheet = document.createElement("canvas");
  sheet.width = Math.max(...canvases.map((canvas) => canvas.width));
  sheet.height = canvases.reduce((sum, canvas) => sum + canvas.height, 0) + (lines.length + 2) * row;
  const ctx = sheet.getContext("2d");
  if (!ctx) return;
  ctx.fillStyle = style("--card");
  ctx.fillRect(0, 0, sheet.width, sheet.height);
  ctx.font = `${13 * ratio}px system-ui, sans-serif`;
  ctx.fillStyle = style("--text");
  ctx.fillText(caption, 10 * ratio, row);
  let top = 1.5 * row;
  for (const canvas of canvases) {
    ctx.drawImage(canvas, 0, top);
    top += canvas.height;
  }
  lines.forEach((line, index) => {
    const y = top + index * row;
    ctx.fillStyle = colourOf(line.place);
    ctx.fillRect(10 * ratio, y, 14 * ratio, 4 * ratio);
    ctx.fillStyle = style("--text");
    ctx.fillText(line.name, 32 * ratio, y + 7 * ratio);
  });
  sheet.toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "sensorlogd.png";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

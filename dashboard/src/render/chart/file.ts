// The charts of the page as one picture file.

import { colourOf, style } from "./palette";

/** Draw the charts of the page below each other, with their names and a caption, and offer the picture as a PNG file. */
export function save(names: readonly string[], caption: string): void {
  const canvases = [...document.querySelectorAll<HTMLCanvasElement>(".chart canvas")];
  const [first] = canvases;
  if (!first) return;
  const ratio = devicePixelRatio;
  const line = 20 * ratio;
  const sheet = document.createElement("canvas");
  sheet.width = Math.max(...canvases.map((canvas) => canvas.width));
  sheet.height = canvases.reduce((sum, canvas) => sum + canvas.height, 0) + (names.length + 2) * line;
  const ctx = sheet.getContext("2d");
  if (!ctx) return;
  ctx.fillStyle = style("--card");
  ctx.fillRect(0, 0, sheet.width, sheet.height);
  ctx.font = `${13 * ratio}px system-ui, sans-serif`;
  ctx.fillStyle = style("--text");
  ctx.fillText(caption, 10 * ratio, line);
  let top = 1.5 * line;
  for (const canvas of canvases) {
    ctx.drawImage(canvas, 0, top);
    top += canvas.height;
  }
  names.forEach((name, index) => {
    const y = top + index * line;
    ctx.fillStyle = colourOf(index);
    ctx.fillRect(10 * ratio, y, 14 * ratio, 4 * ratio);
    ctx.fillStyle = style("--text");
    ctx.fillText(name, 32 * ratio, y + 7 * ratio);
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

// The charts of the page as one picture file.

import { style } from "./palette";

export function save(names: readonly string[], caption: string): void {
  const canvases = [...document.querySelectorAll<HTMLCanvasElement>(".chart canvas")];
  const [first] = canvases;
  if (!first) return;
  const ratio = devicePixelRatio;
  const line = 20 * ratio;
  const made = document.createElement("canvas");
  made.width = Math.max(...canvases.map((one) => one.width));
  made.height = canvases.reduce((sum, one) => sum + one.height, 0) + (names.length + 2) * line;
  const ctx = made.getContext("2d");
  if (!ctx) return;
  ctx.fillStyle = style("--card");
  ctx.fillRect(0, 0, made.width, made.height);
  ctx.font = `${13 * ratio}px system-ui, sans-serif`;
  ctx.fillStyle = style("--text");
  ctx.fillText(caption, 10 * ratio, line);
  let top = 1.5 * line;
  for (const one of canvases) {
    ctx.drawImage(one, 0, top);
    top += one.height;
  }
  names.forEach((name, index) => {
    const y = top + index * line;
    ctx.fillStyle = style(`--c${(index % 8) + 1}`);
    ctx.fillRect(10 * ratio, y, 14 * ratio, 4 * ratio);
    ctx.fillStyle = style("--text");
    ctx.fillText(name, 32 * ratio, y + 7 * ratio);
  });
  made.toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "sensorlogd.png";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// What is drawn over the lines: events, flags, limits, and shaded times.

import type uPlot from "uplot";
import type { Limit } from "../../../state/alarms";
import type { Line } from "../../../state/chart/lines";
import type { AlarmPeriod, LogEvent, Range } from "../../../state/model";
import { style } from "../palette";
import { scaleOf } from "./options";

/** A dashed line for each event, one for those that are close together. Returns how many events are in the chart. */
export function eventLines(plot: uPlot, events: readonly LogEvent[]): number {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = style("--mark");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  let count = 0;
  let before = Number.NaN;
  for (const event of events) {
    const x = Math.round(plot.valToPos(event.time, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    count += 1;
    if (Math.abs(x - before) < 3 * devicePixelRatio) continue; // one mark for what happened at once
    before = x;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const half = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x - half, bbox.top);
    ctx.lineTo(x + half, bbox.top);
    ctx.lineTo(x, bbox.top + 1.6 * half);
    ctx.fill();
  }
  ctx.restore();
  return count;
}

/**
 * Suspect: a ring where the highest value of the step is, at the edge if it lies beyond. Wrong or missing: a cross at the foot.
 * Returns how many steps are marked.
 */
export function flags(plot: uPlot, lines: readonly Line[]): number {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  let count = 0;
  ctx.save();
  ctx.lineWidth = 1.8 * devicePixelRatio;
  ctx.setLineDash([]);
  for (const line of lines) {
    if (line.kind === "state") continue;
    line.time.forEach((at, row) => {
      const suspect = (line.suspect[row] ?? 0) > 0;
      const wrong = (line.wrong[row] ?? 0) > 0;
      if (!suspect && !wrong) return;
      const x = plot.valToPos(at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      count += 1;
      if (suspect) {
        const value = [line.high[row], line.low[row], line.mid[row]].find((point) => typeof point === "number");
        if (typeof value === "number") {
          const y = Math.min(
            Math.max(plot.valToPos(value, scaleOf(line.unit), true), bbox.top + size),
            bbox.top + bbox.height - size,
          );
          ctx.strokeStyle = style("--warn");
          ctx.beginPath();
          ctx.arc(x, y, size, 0, 2 * Math.PI);
          ctx.stroke();
        }
      }
      if (wrong) {
        const y = bbox.top + bbox.height - 1.5 * size;
        ctx.strokeStyle = style("--bad");
        ctx.beginPath();
        ctx.moveTo(x - size, y - size);
        ctx.lineTo(x + size, y + size);
        ctx.moveTo(x + size, y - size);
        ctx.lineTo(x - size, y + size);
        ctx.stroke();
      }
    });
  }
  ctx.restore();
  return count;
}

/** Lines of limits, each with its name; one of an alarm that lies beyond the axis is named at that edge. Returns these names. */
export function limitLines(plot: uPlot, limits: readonly Limit[]): string[] {
  const { ctx, bbox } = plot;
  const bottom = bbox.top + bbox.height;
  const tall = 13 * devicePixelRatio;
  const taken: number[] = [];
  const names: string[] = [];
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  for (const limit of limits) {
    const y = Math.round(plot.valToPos(limit.value, scaleOf(limit.unit), true));
    const beyond = y < bbox.top ? "\u25b2 " : y > bottom ? "\u25bc " : "";
    if (beyond && !limit.alarm) continue;
    names.push(`${beyond}${limit.text}`);
    ctx.strokeStyle = ctx.fillStyle = style(limit.alarm ? "--bad" : "--warn");
    ctx.setLineDash(limit.alarm ? [8 * devicePixelRatio, 3 * devicePixelRatio] : [2 * devicePixelRatio, 3 * devicePixelRatio]);
    if (!beyond) {
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    // The name stands above its line, inside the picture, and if there is room not on another one.
    const own = Math.min(Math.max(y - 4 * devicePixelRatio, bbox.top + tall), bottom - 4 * devicePixelRatio);
    const free = (place: number) => place > bbox.top && place < bottom && taken.every((other) => Math.abs(other - place) >= tall);
    const at = [0, 1, -1, 2, -2, 3, -3].map((rows) => own + rows * tall).find(free) ?? own;
    taken.push(at);
    ctx.fillText(`${beyond}${limit.text}`, bbox.left + 6 * devicePixelRatio, at);
  }
  ctx.restore();
  return names;
}

/** Shade the times in alarm. A bar at the foot makes short ones visible. Returns how many are in the chart. */
export function shades(plot: uPlot, periods: readonly AlarmPeriod[]): number {
  const { ctx, bbox } = plot;
  const right = bbox.left + bbox.width;
  let count = 0;
  ctx.save();
  ctx.fillStyle = style("--bad");
  for (const period of periods) {
    const from = Math.max(plot.valToPos(period.since, "x", true), bbox.left);
    const until = period.until === null ? right : Math.min(plot.valToPos(period.until, "x", true), right);
    if (from > right || until < bbox.left) continue;
    count += 1;
    const wide = Math.max(until - from, 2 * devicePixelRatio);
    ctx.globalAlpha = 0.13;
    ctx.fillRect(from, bbox.top, wide, bbox.height);
    ctx.globalAlpha = 0.8;
    ctx.fillRect(from, bbox.top + bbox.height - 3 * devicePixelRatio, wide, 3 * devicePixelRatio);
  }
  ctx.restore();
  return count;
}

/** Shade the range that is to be flagged or noted. */
export function marked(plot: uPlot, { since, until }: Range): void {
  const { ctx, bbox } = plot;
  const from = Math.max(plot.valToPos(since, "x", true), bbox.left);
  const to = Math.min(plot.valToPos(until, "x", true), bbox.left + bbox.width);
  if (to < from) return;
  ctx.save();
  ctx.fillStyle = style("--accent");
  ctx.globalAlpha = 0.14;
  ctx.fillRect(from, bbox.top, Math.max(to - from, 2 * devicePixelRatio), bbox.height);
  ctx.restore();
}

// A chart: mean lines with bands from minimum to maximum, gaps as gaps, events as marks; cursor by pointer, touch and keyboard.

import uPlot from "uplot";
import type { Buckets, LogEvent } from "./api";
import { say } from "./dom";
import * as format from "./format";

const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];

export interface Wishes {
  zoom(since: number, until: number): void;
  pan(share: number): void;
  scale(factor: number, around?: number): void;
}

function style(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Times of all series together; null where a series is silent for longer than its heartbeat, undefined where it only has no point.
export function align(found: readonly Buckets[], heartbeats: readonly number[]): uPlot.AlignedData {
  const tables = found.map((one, index) => {
    const rows: [number[], (number | null)[], (number | null)[], (number | null)[]] = [[], [], [], []];
    const width = (one.time[1] ?? 0) - (one.time[0] ?? 0);
    const patience = Math.max(heartbeats[index] ?? 60, 0) + stepSeconds(one, width) * 1.01;
    let before: number | null = null;
    one.time.forEach((at, row) => {
      if (one.mean[row] === null && one.max[row] === null) return;
      if (before !== null && at - before > patience) {
        rows[0].push((at + before) / 2);
        for (const column of [1, 2, 3] as const) rows[column].push(null);
      }
      rows[0].push(at);
      rows[1].push(one.mean[row] ?? null);
      rows[2].push(one.min[row] ?? null);
      rows[3].push(one.max[row] ?? null);
      before = at;
    });
    return rows as unknown as uPlot.AlignedData;
  });
  if (!tables.length) return [[]] as unknown as uPlot.AlignedData;
  return tables.length === 1 ? (tables[0] as uPlot.AlignedData) : uPlot.join(tables);
}

const UNITS: Record<string, number> = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400, w: 604800, mo: 2678400, y: 31622400 };

export function stepSeconds(one: Buckets, otherwise = 0): number {
  let sum = 0;
  for (const [, count, unit] of one.step.matchAll(/([\d.]+)\s*([a-z]+)/g)) sum += Number(count) * (UNITS[unit ?? ""] ?? 0);
  return sum || otherwise;
}

export class Chart {
  readonly element: HTMLElement;
  private plot: uPlot;
  private events: readonly LogEvent[] = [];
  private readonly watch: ResizeObserver;

  constructor(
    private readonly unit: string,
    private readonly names: readonly string[],
    private readonly kinds: readonly string[],
    private readonly wishes: Wishes,
  ) {
    this.element = document.createElement("div");
    this.element.className = "chart";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "application");
    this.element.setAttribute(
      "aria-label",
      `Chart of ${names.join(", ")}${unit ? ` in ${unit}` : ""}. Arrow keys move the cursor and speak values, plus and minus zoom, page up and down move in time.`,
    );
    this.plot = new uPlot(this.options(600), [[]] as unknown as uPlot.AlignedData, this.element);
    this.watch = new ResizeObserver(() => this.plot.setSize({ width: this.width(), height: this.height() }));
    this.watch.observe(this.element);
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.touch();
  }

  width(): number {
    return Math.max(this.element.clientWidth, 200);
  }

  private height(): number {
    return Math.max(Math.min(window.innerHeight * 0.42, 360), 190);
  }

  private options(width: number): uPlot.Options {
    const text = style("--muted");
    const grid = { stroke: style("--grid"), width: 1 };
    const series: uPlot.Series[] = [{}];
    const bands: uPlot.Band[] = [];
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    this.names.forEach((name, index) => {
      const colour = style(COLOURS[index % COLOURS.length] ?? "--c1");
      const faint = colour + "30";
      const isState = this.kinds[index] === "state";
      const isAngle = this.kinds[index] === "angle";
      const value = (_: uPlot, at: number | null) => (at === null ? "–" : `${format.number(at)} ${this.unit}`);
      const line: uPlot.Series = { label: name, stroke: colour, width: 1.6, value, points: isAngle ? { show: true, size: 3, fill: colour } : { size: 4 } };
      if (isState && stepped) line.paths = stepped;
      if (isAngle) line.paths = () => null; // 359 and 1 are neighbours: a line between them would lie
      const edge: uPlot.Series = { stroke: "transparent", points: { show: false }, show: !isAngle };
      if (isState && stepped) edge.paths = stepped;
      series.push(line, { ...edge, label: `${name} minimum` }, { ...edge, label: `${name} maximum` });
      if (!isAngle) bands.push({ series: [3 * index + 3, 3 * index + 2], fill: faint });
    });
    return {
      width,
      height: this.height(),
      series,
      bands,
      cursor: { sync: { key: "sensorlogd" }, drag: { x: true, y: false }, focus: { prox: 30 }, bind: { dblclick: () => () => (this.wishes.scale(2), null) } },
      legend: { show: false },
      scales: { x: { time: true } },
      axes: [
        { stroke: text, grid, ticks: grid, font: "12px system-ui", space: 64, values: (_, splits, __, ___, step) => format.ticks(splits, step) },
        { stroke: text, grid, ticks: grid, font: "12px system-ui", size: 64, label: this.unit, labelSize: this.unit ? 22 : 0, labelFont: "12px system-ui", values: (_, found) => found.map((one) => format.number(one)) },
      ],
      hooks: {
        setSelect: [
          (plot) => {
            const { left, width: selected } = plot.select;
            if (selected < 5) return;
            this.wishes.zoom(plot.posToVal(left, "x"), plot.posToVal(left + selected, "x"));
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
        setCursor: [(plot) => this.element.dispatchEvent(new CustomEvent("cursor", { detail: plot.cursor.idx }))],
        draw: [(plot) => this.marks(plot)],
      },
    };
  }

  show(found: readonly Buckets[], heartbeats: readonly number[], since: number, until: number, events: readonly LogEvent[]): void {
    this.events = events;
    this.plot.batch(() => {
      this.plot.setData(align(found, heartbeats), true);
      this.plot.setScale("x", { min: since, max: until });
    });
    this.element.dataset["points"] = String(this.plot.data[0].length);
  }

  // Values at an index: of each series [mean, minimum, maximum].
  at(index: number | null | undefined): { time: number; values: (readonly [number | null | undefined, number | null | undefined, number | null | undefined])[] } | null {
    const time = index === null || index === undefined ? undefined : this.plot.data[0][index];
    if (time === undefined || index === null || index === undefined) return null;
    return {
      time,
      values: this.names.map((_, one) => [this.plot.data[3 * one + 1]?.[index], this.plot.data[3 * one + 2]?.[index], this.plot.data[3 * one + 3]?.[index]] as const),
    };
  }

  restyle(): void {
    const data = this.plot.data;
    const { min, max } = this.plot.scales["x"] ?? {};
    this.plot.destroy();
    this.plot = new uPlot(this.options(this.width()), data, this.element);
    if (min !== undefined && max !== undefined && min !== null && max !== null) this.plot.setScale("x", { min, max });
  }

  destroy(): void {
    this.watch.disconnect();
    this.plot.destroy();
  }

  private marks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = style("--mark");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    let drawn = 0;
    for (const event of this.events) {
      const x = Math.round(plot.valToPos(event.time, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      drawn += 1;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      const half = 4 * devicePixelRatio;
      ctx.moveTo(x - half, bbox.top);
      ctx.lineTo(x + half, bbox.top);
      ctx.lineTo(x, bbox.top + 1.6 * half);
      ctx.fill();
    }
    ctx.restore();
    this.element.dataset["marks"] = String(drawn);
  }

  private key(event: KeyboardEvent): void {
    const times = this.plot.data[0];
    const last = times.length - 1;
    const now = this.plot.cursor.idx ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const stride = event.shiftKey ? 10 : 1;
    const jumps: Record<string, number> = { ArrowRight: now + stride, ArrowLeft: now - stride, Home: 0, End: last };
    if (event.key in jumps && last >= 0) {
      const index = Math.min(Math.max(jumps[event.key] ?? 0, 0), last);
      const place = { left: this.plot.valToPos(times[index] ?? 0, "x"), top: this.plot.over.clientHeight / 2 };
      (this.plot.setCursor as (place: object, fire: boolean, publish: boolean) => void)(place, true, true); // the other charts follow
      this.speak(index);
    } else if (event.key === "+" || event.key === "=") this.wishes.scale(0.5, times[this.plot.cursor.idx ?? -1]);
    else if (event.key === "-") this.wishes.scale(2, times[this.plot.cursor.idx ?? -1]);
    else if (event.key === "PageUp") this.wishes.pan(-0.5);
    else if (event.key === "PageDown") this.wishes.pan(0.5);
    else return;
    event.preventDefault();
  }

  private speak(index: number): void {
    const found = this.at(index);
    if (!found) return;
    const parts = found.values.map(([mean, low, high], one) => {
      if (mean === null || mean === undefined) return `${this.names[one]}: nothing`;
      const band = low !== high && low !== null && high !== null && low !== undefined && high !== undefined ? `, from ${format.number(low)} to ${format.number(high)}` : "";
      return `${this.names[one]}: ${format.number(mean)} ${this.unit}${band}`;
    });
    say(`${format.time(found.time)}. ${parts.join(". ")}`);
  }

  // One finger moves in time, two zoom. A tap moves the cursor, which is uPlot's.
  private touch(): void {
    const over = this.plot.over;
    const down = new Map<number, number>();
    let began: { left: number; spread: number } | null = null;
    const middle = () => [...down.values()].reduce((sum, x) => sum + x, 0) / down.size;
    const spread = () => (down.size < 2 ? 0 : Math.abs(([...down.values()][0] ?? 0) - ([...down.values()][1] ?? 0)));
    over.style.touchAction = "pan-y";
    over.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch") return;
      down.set(event.pointerId, event.clientX);
      began = { left: middle(), spread: spread() };
    });
    over.addEventListener("pointermove", (event) => {
      if (down.has(event.pointerId)) down.set(event.pointerId, event.clientX);
    });
    const up = (event: PointerEvent) => {
      if (!down.has(event.pointerId) || !began) return;
      const width = over.clientWidth;
      const by = (middle() - began.left) / width;
      const grown = down.size > 1 && began.spread > 10 && spread() > 10 ? began.spread / spread() : 1;
      const centre = this.plot.posToVal(middle() - over.getBoundingClientRect().left, "x");
      down.delete(event.pointerId);
      const alone = down.size === 0 && began.spread === 0;
      began = null;
      if (Math.abs(grown - 1) > 0.1) this.wishes.scale(grown, centre);
      else if (alone && Math.abs(by) > 0.05) this.wishes.pan(-by);
    };
    over.addEventListener("pointerup", up);
    over.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
    over.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return; // the page scrolls, as pages do
        event.preventDefault();
        this.wishes.scale(event.deltaY < 0 ? 0.7 : 1.4, this.plot.posToVal(event.offsetX, "x"));
      },
      { passive: false },
    );
  }
}

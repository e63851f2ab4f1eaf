// One picture of lines: uPlot is kept from one drawing to the next, and made anew when other lines are to be drawn.

import { Component, createRef } from "preact";
import uPlot from "uplot";
import type { Threshold } from "../../state/alarms";
import { align, type Line, range, rowAt } from "../../state/frame";
import type { AlarmPeriod, LogEvent, Range } from "../../state/model";
import { axis, computed, text } from "../../state/numbers";
import { ticks, time } from "../../state/words";
import { bands, eventLines, flags, marked, shades, thresholds } from "./marks";
import { colourOf, dashOf, style } from "./palette";
import { touch } from "./touch";

/** What the hand on a picture asks for. */
export interface Wishes {
  zoom(since: number, until: number): void;
  pan(share: number): void;
  scale(factor: number, around?: number): void;
  cursor(at: number | null): void;
  say(text: string): void;
}

interface Props {
  lines: readonly Line[];
  /** Place of the first line among all of the page: for its colour. */
  colours: readonly number[];
  patience: readonly number[];
  since: number;
  until: number;
  events: readonly LogEvent[];
  limits: readonly Threshold[];
  periods: readonly AlarmPeriod[];
  marking: Range | null;
  hidden: ReadonlySet<string>;
  /** Axes on the right of the picture that has the most: room is kept for them, so that times stand below each other. */
  rights: number;
  dark: boolean;
  now: number;
  wishes: Wishes;
}

const FONT = "12px system-ui, sans-serif";
const scaleOf = (unit: string): string => unit || "none";

/** Draws lines with uPlot, on canvas, and passes on what the hand asks for. Draws again only when what it draws has changed. */
export class Picture extends Component<Props> {
  private readonly place = createRef<HTMLDivElement>();
  private plot: uPlot | null = null;
  private watch: ResizeObserver | null = null;
  private drawn = "";

  componentDidMount(): void {
    this.make();
    const element = this.element();
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(element);
    element.addEventListener("wheel", this.wheel, { passive: false });
  }

  componentDidUpdate(): void {
    this.make();
  }

  private fit(): void {
    const [width, height] = [this.width(), this.height()];
    if (this.plot && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  shouldComponentUpdate(next: Props): boolean {
    const { lines, since, until, events, hidden, dark, limits, periods, marking } = this.props;
    return (
      next.lines !== lines ||
      next.since !== since ||
      next.until !== until ||
      next.events !== events ||
      next.hidden !== hidden ||
      next.dark !== dark ||
      next.limits !== limits ||
      next.periods !== periods ||
      next.marking !== marking
    );
  }

  componentWillUnmount(): void {
    this.watch?.disconnect();
    this.plot?.destroy();
  }

  render({ lines }: Props) {
    const names = lines.map((line) => `${line.name}${line.unit ? ` in ${line.unit}` : ""}`).join(", ");
    return (
      <div
        class="chart"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys
        tabIndex={0}
        ref={this.place}
        onKeyDown={this.key}
        aria-label={`Chart of ${names}. Arrow keys move the cursor and speak values, plus and minus zoom, page up and down move in time.`}
      />
    );
  }

  /** Where uPlot draws: the element of this component. */
  private element(): HTMLElement {
    return this.place.current as HTMLElement;
  }

  private width(): number {
    return Math.max(this.element().clientWidth, 200);
  }

  private height(): number {
    const { lines } = this.props;
    if (lines.every((line) => line.kind === "state")) return 34 * lines.length + 60;
    return Math.max(Math.min(window.innerHeight * 0.46, 380), 220);
  }

  private make(): void {
    const { lines, since, until, patience, dark, hidden } = this.props;
    const wanted = JSON.stringify([
      lines.map((line) => [line.name, line.unit, line.kind, line.before !== null]),
      dark,
      [...hidden],
    ]);
    const { time: times, columns } = align(lines, patience);
    const data = [times, ...columns] as unknown as uPlot.AlignedData;
    if (wanted !== this.drawn || !this.plot) {
      this.plot?.destroy();
      this.drawn = wanted;
      this.plot = new uPlot(this.options(), data, this.element());
      touch(this.plot, () => this.props.wishes);
      this.plot.setScale("x", { min: since, max: until });
    } else
      this.plot.batch(() => {
        this.plot?.setData(data, true);
        this.plot?.setScale("x", { min: since, max: until });
      });
    this.element().dataset["points"] = String(times.length);
  }

  private units(): string[] {
    return [...new Set(this.props.lines.map((line) => line.unit))];
  }

  private options(): uPlot.Options {
    const { lines, colours, hidden } = this.props;
    const states = lines.every((line) => line.kind === "state");
    const muted = style("--muted");
    const grid = { stroke: style("--grid"), width: 1 };
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    const series: uPlot.Series[] = [{}];
    const filled: uPlot.Band[] = [];
    lines.forEach((curve, index) => {
      const colour = colourOf(colours[index] ?? index);
      const show = !hidden.has(curve.name);
      const angle = curve.kind === "angle";
      const base: uPlot.Series = { scale: states ? "states" : scaleOf(curve.unit), show, points: { show: false } };
      const line: uPlot.Series = {
        ...base,
        label: curve.name,
        stroke: colour,
        width: 1.6,
        dash: dashOf(colours[index] ?? index),
        points: angle ? { show: true, size: 3, fill: colour } : { size: 4 },
      };
      if (angle || states) line.paths = () => null; // 359 and 1 are neighbours: a line between them would lie
      if (states) line.points = { show: false };
      if (curve.kind === "rate" && stepped) line.paths = stepped;
      const edge: uPlot.Series = { ...base, stroke: "transparent", show: show && !angle && !states };
      const before: uPlot.Series = { ...base, stroke: colour, width: 1.2, dash: [3, 4], alpha: 0.75, spanGaps: false };
      series.push(
        line,
        { ...edge, label: `${curve.name} minimum` },
        { ...edge, label: `${curve.name} maximum` },
        { ...before, label: `${curve.name} before` },
      );
      if (!angle && !states && show) filled.push({ series: [4 * index + 3, 4 * index + 2], fill: `${colour}2e` });
    });
    const narrow = this.width() < 600;
    const own = states ? 0 : this.units().length - 1;
    const aside = (narrow ? 44 : 52) + 18;
    const labelled = states || this.units()[0] ? 0 : 18; // an axis without a unit is as wide as one with it
    const axes: uPlot.Axis[] = [
      { stroke: muted, grid, ticks: grid, font: FONT, space: 64, values: (_, splits, __, ___, step) => ticks(splits, step) },
    ];
    const scales: uPlot.Scales = { x: { time: true } };
    if (states) {
      scales["states"] = { range: [0, 1] };
      axes.push({
        scale: "states",
        show: true,
        size: aside,
        values: () => [],
        splits: () => [],
        grid: { show: false },
        ticks: { show: false },
      });
    } else
      this.units().forEach((unit, index) => {
        scales[scaleOf(unit)] = {
          range: () => this.reach(unit),
        };
        axes.push({
          scale: scaleOf(unit),
          side: index === 0 ? 3 : 1,
          stroke: muted,
          grid: index === 0 ? grid : { show: false },
          ticks: grid,
          font: FONT,
          size: (plot, values) => Math.max(axisSize(plot, values), aside - 18) + (index === 0 ? labelled : 0),
          label: unit,
          labelSize: unit ? 18 : 0,
          labelFont: FONT,
          labelGap: 0,
          gap: 4,
          values: (_, found) => axis(found),
          ...(this.angles(unit) ? { splits: () => [0, 90, 180, 270, 360] } : {}),
        });
      });
    return {
      width: this.width(),
      height: this.height(),
      padding: [8, Math.max(this.props.rights - own, 0) * aside + (this.props.rights ? 0 : 12), 0, 0],
      series,
      bands: filled,
      scales,
      axes,
      legend: { show: false },
      cursor: {
        sync: { key: "sensorlogd" },
        drag: { x: true, y: false },
        bind: { dblclick: () => () => this.wider() },
      },
      hooks: {
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.moved(plot)],
        drawAxes: [
          (plot) => {
            this.element().dataset["periods"] = String(shades(plot, this.props.periods));
            if (this.props.marking) marked(plot, this.props.marking);
          },
        ],
        draw: [(plot) => this.marks(plot)],
      },
    };
  }

  private reach(unit: string): [number, number] {
    const { lines, limits, hidden } = this.props;
    return range(
      lines.filter((line) => line.unit === unit && !hidden.has(line.name)),
      limits.filter((threshold) => threshold.unit === unit).map((threshold) => threshold.value),
    );
  }

  private angles(unit: string): boolean {
    return this.props.lines.filter((line) => line.unit === unit).every((line) => line.kind === "angle");
  }

  private wider(): null {
    this.props.wishes.scale(2);
    return null;
  }

  private selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 5) return;
    this.props.wishes.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  private moved(plot: uPlot): void {
    const { left, idx } = plot.cursor;
    if (left === undefined || left < 0 || idx === null || idx === undefined) this.props.wishes.cursor(null);
    else this.props.wishes.cursor(plot.data[0][idx] ?? null);
  }

  private marks(plot: uPlot): void {
    const { lines, patience, events, limits, hidden, colours } = this.props;
    const shown = lines.filter((line) => !hidden.has(line.name));
    const element = this.element();
    const units = this.units();
    if (lines.every((line) => line.kind === "state")) bands(plot, lines, patience, colours[0] ?? 0);
    else
      element.dataset["limits"] = thresholds(
        plot,
        limits.filter((threshold) => units.includes(threshold.unit)),
      ).join("\n");
    element.dataset["marks"] = String(eventLines(plot, events));
    element.dataset["flags"] = String(flags(plot, shown));
    element.dataset["ranges"] = JSON.stringify(
      this.units().map((unit) => [unit, plot.scales[scaleOf(unit)]?.min, plot.scales[scaleOf(unit)]?.max]),
    );
  }

  private readonly wheel = (event: WheelEvent): void => {
    if (!event.ctrlKey || !this.plot) return; // the page scrolls, as pages do
    event.preventDefault();
    const left = event.clientX - this.plot.over.getBoundingClientRect().left;
    this.props.wishes.scale(event.deltaY < 0 ? 0.7 : 1.4, this.plot.posToVal(left, "x"));
  };

  private readonly key = (event: KeyboardEvent): void => {
    const plot = this.plot;
    if (!plot) return;
    const times = plot.data[0];
    const last = times.length - 1;
    const now = plot.cursor.idx ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const stride = event.shiftKey ? 10 : 1;
    const jumps: Record<string, number> = { ArrowRight: now + stride, ArrowLeft: now - stride, Home: 0, End: last };
    const { wishes } = this.props;
    if (event.key in jumps && last >= 0) {
      const index = Math.min(Math.max(jumps[event.key] ?? 0, 0), last);
      const at = times[index] ?? 0;
      const where = { left: plot.valToPos(at, "x"), top: plot.over.clientHeight / 2 };
      (plot.setCursor as (where: object, fire: boolean, publish: boolean) => void)(where, true, true); // the other charts follow
      wishes.cursor(at);
      this.speak(at);
    } else if (event.key === "+" || event.key === "=") wishes.scale(0.5, times[plot.cursor.idx ?? -1]);
    else if (event.key === "-") wishes.scale(2, times[plot.cursor.idx ?? -1]);
    else if (event.key === "PageUp") wishes.pan(-0.5);
    else if (event.key === "PageDown") wishes.pan(0.5);
    else return;
    event.preventDefault();
  };

  private speak(at: number): void {
    const { lines, since, until, now, wishes } = this.props;
    const parts = lines.map((line) => {
      const row = rowAt(line, at, (until - since) / 50);
      if (row === null) return `${line.name}: nothing`;
      const [mid, low, high] = [line.mid[row], line.low[row], line.high[row]];
      const band = low !== high ? `, from ${text(low, line.decimals)} to ${text(high, line.decimals)}` : "";
      return `${line.name}: ${low === high ? text(low, line.decimals) : computed(mid, line.places)} ${line.unit}${band}`;
    });
    wishes.say(`${time(at, now)}. ${parts.join(". ")}`);
  }
}

/** As wide as its longest mark. */
function axisSize(plot: uPlot, values: readonly string[] | null): number {
  const longest = (values ?? []).reduce((most, text) => (String(text).length > most.length ? String(text) : most), "000");
  plot.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  return Math.ceil(plot.ctx.measureText(longest).width / devicePixelRatio) + 18;
}

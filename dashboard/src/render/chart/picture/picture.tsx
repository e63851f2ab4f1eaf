// One picture of lines: uPlot is kept from one drawing to the next, and made anew when other lines are to be drawn.

import { Component, createRef } from "preact";
import uPlot from "uplot";
import { align } from "../../../state/chart/alignment";
import type { AlarmPeriod, LogEvent, Range } from "../../../state/model";
import { bands } from "./bands";
import { type Gestures, pointed, pressed, type Spoken, selected, wheeled } from "./gestures";
import { eventLines, flags, limitLines, marked, shades } from "./marks";
import { areStates, looksOf, optionsOf, type PictureContent, scaleOf, unitsOf } from "./options";
import { touch } from "./touch";

/** Sizes in CSS pixels. A picture is as wide as its place, but not less than this: uPlot needs room for its axes. */
const NARROWEST_PX = 200;
/** Of states: so much for each band, and so much for the axis of time and the rim. */
const BAND_PX = 34;
const AROUND_BANDS_PX = 60;
/** Of lines: this share of the window's height, so that a picture and its legend are seen together, within bounds. */
const OF_WINDOW = 0.46;
const TALLEST_PX = 380;
const LOWEST_PX = 220;

interface Props extends PictureContent, Spoken {
  events: readonly LogEvent[];
  periods: readonly AlarmPeriod[];
  marking: Range | null;
  dark: boolean;
  gestures: Gestures;
}

/** Draws lines with uPlot, on canvas, and passes on gestures. Draws again only when what it draws has changed. */
export class Picture extends Component<Props> {
  private readonly place = createRef<HTMLDivElement>();
  private plot: uPlot | null = null;
  private watch: ResizeObserver | null = null;
  private looks = "";

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
    const { lines, since, until, events, hidden, dark, limits, periods, marking, rights } = this.props;
    return (
      next.lines !== lines ||
      next.since !== since ||
      next.until !== until ||
      next.events !== events ||
      next.hidden !== hidden ||
      next.dark !== dark ||
      next.limits !== limits ||
      next.periods !== periods ||
      next.marking !== marking ||
      next.rights !== rights
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
    return Math.max(this.element().clientWidth, NARROWEST_PX);
  }

  private height(): number {
    const { lines } = this.props;
    if (areStates(lines)) return BAND_PX * lines.length + AROUND_BANDS_PX;
    return Math.max(Math.min(window.innerHeight * OF_WINDOW, TALLEST_PX), LOWEST_PX);
  }

  private make(): void {
    const { lines, since, until, dark } = this.props;
    const wanted = looksOf(this.props, dark);
    const { time: times, columns } = align(lines);
    const data = [times, ...columns] as unknown as uPlot.AlignedData;
    if (wanted !== this.looks || !this.plot) {
      this.plot?.destroy();
      this.looks = wanted;
      this.plot = new uPlot(this.options(this.width(), this.height()), data, this.element());
      touch(this.plot, () => this.props.gestures);
      this.plot.setScale("x", { min: since, max: until });
    } else
      this.plot.batch(() => {
        this.plot?.setData(data, true);
        this.plot?.setScale("x", { min: since, max: until });
      });
    this.element().dataset["points"] = String(times.length);
  }

  private options(width: number, height: number): uPlot.Options {
    return {
      ...optionsOf(() => this.props, width),
      width,
      height,
      legend: { show: false },
      cursor: {
        sync: { key: "sensorlogd" },
        drag: { x: true, y: false },
        bind: { dblclick: () => () => this.wider() },
      },
      hooks: {
        setSelect: [(plot) => selected(plot, this.props.gestures)],
        setCursor: [(plot) => pointed(plot, this.props.gestures)],
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

  private wider(): null {
    this.props.gestures.scale(2);
    return null;
  }

  private marks(plot: uPlot): void {
    const { lines, events, limits, hidden } = this.props;
    const shown = lines.filter((line) => !hidden.has(line.name));
    const element = this.element();
    const units = unitsOf(lines);
    if (areStates(lines)) bands(plot, shown);
    else
      element.dataset["limits"] = limitLines(
        plot,
        limits.filter((limit) => units.includes(limit.unit)),
      ).join("\n");
    element.dataset["marks"] = String(eventLines(plot, events));
    element.dataset["flags"] = String(flags(plot, shown));
    element.dataset["ranges"] = JSON.stringify(
      units.map((unit) => [unit, plot.scales[scaleOf(unit)]?.min, plot.scales[scaleOf(unit)]?.max]),
    );
  }

  private readonly wheel = (event: WheelEvent): void => {
    if (this.plot) wheeled(event, this.plot, this.props.gestures);
  };

  private readonly key = (event: KeyboardEvent): void => {
    if (this.plot) pressed(event, this.plot, this.props, this.props.gestures);
  };
}

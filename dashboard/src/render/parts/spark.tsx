// The small curve of the last hour.

import { Component, createRef } from "preact";
import type { Curve } from "../../state/model";
import type { Act } from "../act";

const WIDTH = 140;
const HEIGHT = 34;

function path(curve: Curve, maxGap: number): string {
  const values = curve.value.filter((value): value is number => value !== null);
  if (!values.length) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const until = curve.time.at(-1) as number;
  const since = Math.min(until - 3600, curve.time[0] as number);
  let drawn = "";
  let before: number | null = null;
  curve.time.forEach((at, row) => {
    const value = curve.value[row];
    if (value === null || value === undefined) return;
    const x = (((at - since) / (until - since || 1)) * (WIDTH - 4) + 2).toFixed(1);
    const y = (high === low ? HEIGHT / 2 : HEIGHT - 4 - ((value - low) / (high - low)) * (HEIGHT - 8)).toFixed(1);
    const gap = before === null || at - before > maxGap;
    drawn += `${gap ? "M" : "L"}${x} ${y}${gap ? "h.01" : ""}`;
    before = at;
  });
  return drawn;
}

interface SparkProps {
  series: string;
  heartbeat: number;
  curve: Curve | undefined;
  act: Act;
}

/** The last hour; it is asked for when it comes into sight. */
export class Spark extends Component<SparkProps> {
  private readonly place = createRef<HTMLSpanElement>();
  private watch: IntersectionObserver | null = null;

  componentDidMount(): void {
    this.watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.watch?.disconnect();
      this.props.act.curve(this.props.series);
    });
    if (this.place.current) this.watch.observe(this.place.current);
  }

  componentWillUnmount(): void {
    this.watch?.disconnect();
  }

  shouldComponentUpdate(next: SparkProps): boolean {
    return next.curve !== this.props.curve;
  }

  render({ curve, heartbeat }: SparkProps) {
    return (
      <span class="curve" ref={this.place}>
        {curve?.time.length ? (
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            <path d={path(curve, heartbeat + 61)} />
          </svg>
        ) : null}
      </span>
    );
  }
}

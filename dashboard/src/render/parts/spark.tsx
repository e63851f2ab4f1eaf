// The small curve of the last hour.

import { Component, createRef } from "preact";
import type { Curve } from "../../state/model";
import { pathOf, type Size } from "../../state/sparkline";
import type { Act } from "../act";

/** In units of the viewBox. */
const SIZE: Size = { width: 140, height: 34 };
/** The API answers a point a minute: two are a gap when they are further apart than the heartbeat and this. */
const STEP_S = 61;

interface SparkProps {
  series: string;
  heartbeat: number;
  curve: Curve | undefined;
  act: Act;
}

/** The last hour; it is asked for when it comes into sight. Of another series it is another one: its key is the series. */
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
    return next.curve !== this.props.curve || next.heartbeat !== this.props.heartbeat;
  }

  render({ curve, heartbeat }: SparkProps) {
    return (
      <span class="curve" ref={this.place}>
        {curve?.time.length ? (
          <svg viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} preserveAspectRatio="none" aria-hidden="true">
            <path d={pathOf(curve, heartbeat + STEP_S, SIZE)} />
          </svg>
        ) : null}
      </span>
    );
  }
}

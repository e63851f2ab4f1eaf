// A chart that may lack readings is asked for whole, however often that is said.

import { outdated, type Store } from "../state/model";
import { passed } from "./passed";

/** A chart is asked for whole so often at most: an import says four times a second that readings were left out. */
const WHOLE_EACH_MS = 10_000;
/** While a chart is being asked for, it is looked again after so long whether the answer is there: asking anew would drop it. */
const LOOKED_AGAIN_MS = 1000;

/** Marks the chart as outdated. */
export class ChartOutdating {
  private timer = 0;
  private markedAt = 0;

  constructor(private readonly store: Store) {}

  /** The chart may lack readings or series: at once, or once the last time is long enough ago. */
  readonly soon = (): void => {
    this.timer ||= window.setTimeout(this.mark, Math.max(WHOLE_EACH_MS - passed(this.markedAt), 0));
  };

  private readonly mark = (): void => {
    this.timer = 0;
    if (this.store.state.chart.busy) {
      this.timer = window.setTimeout(this.mark, LOOKED_AGAIN_MS);
      return;
    }
    this.markedAt = Date.now();
    this.store.change(({ chart }) => ({ chart: outdated(chart) }));
  };
}

// The small curves of the last hour: asked for when they come into sight, extended by the stream. What counters rose by is asked
// for again.

import type { BucketColumns } from "../state/columns";
import type { Curve, Store } from "../state/model";
import { seriesOf } from "../state/series";
import { ApiError, ask, iso } from "./api";
import type { Reading } from "./types";

const HOUR = 3600;
const STEP = 60;
const AT_ONCE = 40;
const COUNTED_AGAIN_S = 60;
const TOGETHER_MS = 30;
const AFTER_FAILURE_MS = 5000;

/** Asks for small curves, several together. */
export class Curves {
  private readonly wanted = new Set<string>();
  private readonly asking = new Set<string>();
  private soon = 0;

  constructor(private readonly store: Store) {}

  /** A curve has come into sight; it is asked for together with the others that have. */
  readonly want = (series: string): void => {
    if (!this.store.state.curves.has(series)) this.together([series], TOGETHER_MS);
  };

  /** Readings have come; by how much counters rose does not follow from them alone: asked for again, each minute at most. */
  readonly news = (series: ReadonlySet<string>): void => {
    const { route, curves, now } = this.store.state;
    if (document.hidden || (route.page !== "overview" && route.page !== "sensor")) return;
    const outdated = [...series].filter(
      (name) => isOutdated(curves.get(name), now) && !this.wanted.has(name) && !this.asking.has(name),
    );
    if (outdated.length) this.together(outdated, TOGETHER_MS);
  };

  private together(series: readonly string[], wait: number): void {
    for (const name of series) this.wanted.add(name);
    window.clearTimeout(this.soon);
    this.soon = window.setTimeout(() => void this.ask(), wait);
  }

  private async ask(): Promise<void> {
    const names = [...this.wanted];
    this.wanted.clear();
    for (const name of names) this.asking.add(name);
    try {
      for (let at = 0; at < names.length; at += AT_ONCE) await this.some(names.slice(at, at + AT_ONCE));
    } catch (error) {
      if (!(error instanceof ApiError)) console.error(error);
      const missing = names.filter((name) => this.asking.has(name));
      this.together(missing, AFTER_FAILURE_MS); // or with the next that come into sight
    } finally {
      for (const name of names) this.asking.delete(name);
    }
  }

  private async some(series: readonly string[]): Promise<void> {
    const now = Date.now() / 1000 + this.store.state.ahead;
    const answer = await ask("buckets", {
      series,
      since: iso(now - HOUR),
      until: iso(now),
      every: "1min",
      shape: "columns",
      agg: "mean,increase",
    });
    for (const name of series) this.asking.delete(name);
    this.store.change((state) => {
      const curves = new Map(state.curves);
      for (const buckets of answer.series as BucketColumns[]) curves.set(seriesOf(buckets), curveOf(buckets, now));
      return { curves };
    });
  }
}

/** The curve of an answer that was asked for at `asked`. */
export function curveOf(buckets: BucketColumns, asked: number): Curve {
  const rises = (buckets.increase ?? []).filter((rise) => rise !== null);
  const increase = rises.length ? rises.reduce((sum, rise) => sum + rise, 0) : null;
  return { time: buckets.time, value: buckets.mean ?? [], increase, counted: buckets.kind === "counter" ? asked : null };
}

/** Whether by how much a counter rose is to be asked for again. */
export const isOutdated = (curve: Curve | undefined, now: number): boolean =>
  typeof curve?.counted === "number" && now - curve.counted >= COUNTED_AGAIN_S;

/** The curve of the last hour, extended by a reading from the stream: one point a minute. */
export function extended(curve: Curve, reading: Reading): Curve {
  const slot = Math.floor(reading.time / STEP) * STEP;
  const from = reading.time - HOUR;
  const first = curve.time.findIndex((at) => at >= from && at < slot);
  const end = curve.time.findIndex((at) => at >= slot);
  const stop = end < 0 ? curve.time.length : end;
  const keep = first < 0 ? [stop, stop] : [first, stop];
  const time = [...curve.time.slice(keep[0], keep[1]), slot];
  return { ...curve, time, value: [...curve.value.slice(keep[0], keep[1]), reading.value] };
}

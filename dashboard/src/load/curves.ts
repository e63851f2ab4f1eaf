// The small curves of the last hour: asked for when they come into sight, extended by the stream. What counters rose by is asked
// for again.

import { isAhead } from "../state/clocks";
import type { BucketColumns } from "../state/columns";
import { type Curve, everyChannel, type Store } from "../state/model";
import { seriesOf } from "../state/series";
import { ApiError, iso } from "./api";
import { askBuckets } from "./buckets";
import type { Latest, Reading } from "./types";

const HOUR_S = 3600;
const STEP_S = 60;
/** Series of one question, at most. */
const SERIES_AT_ONCE = 40;
const COUNTED_AGAIN_S = 60;
const TOGETHER_MS = 30;
const AFTER_FAILURE_MS = 5000;

/** Asks for small curves, several together. */
export class Curves {
  private readonly wanted = new Set<string>();
  /** The number of the question that is under way for each series: of two, the answer of the later one counts. */
  private readonly asking = new Map<string, number>();
  private questions = 0;
  private soon = 0;

  constructor(private readonly store: Store) {}

  /** A curve has come into sight; it is asked for together with the others that have. */
  readonly cameIntoSight = (series: string): void => {
    if (!this.store.state.curves.has(series)) this.askSoon([series], TOGETHER_MS);
  };

  /** Readings may be missing: all curves are asked for again. Where none is shown they are forgotten until one comes into sight. */
  readonly missed = (): void => {
    const { state } = this.store;
    const shown = state.route.page === "overview" || state.route.page === "sensor";
    const known = new Set(everyChannel(state).map((channel) => channel.series));
    if (!shown) this.store.change(() => ({ curves: new Map() }));
    else
      this.askSoon(
        [...state.curves.keys()].filter((name) => known.has(name)),
        TOGETHER_MS,
      );
  };

  /** Readings have come; by how much counters rose does not follow from them alone: asked for again, each minute at most. */
  readonly news = (series: ReadonlySet<string>): void => {
    const { route, curves, now } = this.store.state;
    if (document.hidden || (route.page !== "overview" && route.page !== "sensor")) return;
    const outdated = [...series].filter(
      (name) => isOutdated(curves.get(name), now) && !this.wanted.has(name) && !this.asking.has(name),
    );
    if (outdated.length) this.askSoon(outdated, TOGETHER_MS);
  };

  private askSoon(series: readonly string[], wait: number): void {
    for (const name of series) this.wanted.add(name);
    window.clearTimeout(this.soon);
    this.soon = window.setTimeout(() => void this.ask(), wait);
  }

  private async ask(): Promise<void> {
    const names = [...this.wanted];
    this.wanted.clear();
    this.questions += 1;
    const number = this.questions;
    const isAsked = (name: string): boolean => this.asking.get(name) === number;
    for (const name of names) this.asking.set(name, number);
    try {
      for (let at = 0; at < names.length; at += SERIES_AT_ONCE)
        await this.askFor(names.slice(at, at + SERIES_AT_ONCE).filter(isAsked), isAsked);
    } catch (error) {
      if (!(error instanceof ApiError)) console.error(error);
      const missing = names.filter(isAsked);
      // Soon, or with the next that come into sight. A refusal comes again for the same names, unless one of them is gone by now.
      if (error instanceof ApiError && (error.code === "away" || error.status >= 500)) this.askSoon(missing, AFTER_FAILURE_MS);
      else if (error instanceof ApiError) this.askWithoutUnknown(missing);
    } finally {
      for (const name of names.filter(isAsked)) this.asking.delete(name);
    }
  }

  /** Asks again for those that still exist, if that are fewer. The others are forgotten. */
  private askWithoutUnknown(names: readonly string[]): void {
    const known = new Set(everyChannel(this.store.state).map((channel) => channel.series));
    const left = names.filter((name) => known.has(name));
    if (left.length && left.length < names.length) this.askSoon(left, AFTER_FAILURE_MS);
    this.store.change((state) => ({ curves: new Map([...state.curves].filter(([name]) => known.has(name))) }));
  }

  /** `isAsked`: whether a series is not asked for by a later question by now. */
  private async askFor(series: readonly string[], isAsked: (name: string) => boolean): Promise<void> {
    if (!series.length) return;
    const now = Date.now() / 1000 + this.store.state.ahead;
    const answer = await askBuckets({
      series,
      since: iso(now - HOUR_S),
      until: iso(now),
      every: "1min",
      agg: "mean,increase",
    });
    const awaited = new Set(series.filter(isAsked));
    for (const name of awaited) this.asking.delete(name);
    this.store.change((state) => {
      const curves = new Map(state.curves);
      for (const buckets of answer.series) {
        const name = seriesOf(buckets);
        if (awaited.has(name))
          curves.set(name, withNewest(curveOf(buckets, now), state.latest.get(name), Date.now() / 1000 + state.ahead));
      }
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

/** The curve with the newest reading, if it is later than the last step: the stream may have brought it while the curve was asked for. */
function withNewest(curve: Curve, newest: Latest | undefined, now: number): Curve {
  const end = (curve.time.at(-1) ?? Number.NEGATIVE_INFINITY) + STEP_S;
  return newest && newest.time >= end ? extended(curve, newest, now) : curve;
}

/** Whether by how much a counter rose is to be asked for again. */
export const isOutdated = (curve: Curve | undefined, now: number): boolean =>
  typeof curve?.counted === "number" && now - curve.counted >= COUNTED_AGAIN_S;

/**
 * The curve of the last hour before `now` (seconds since 1970), extended by a reading from the stream: one point a minute. A reading that
 * came late gets its place between the others; one from before the hour, or dated ahead of now, is not drawn. A reading without a value, or one that
 * failed a test, is not drawn, because the API's mean leaves it out; a minute that has no other is a gap.
 */
export function extended(curve: Curve, reading: Reading, now: number): Curve {
  const slot = Math.floor(reading.time / STEP_S) * STEP_S;
  const from = Math.max(now, curve.time.at(-1) ?? 0) - HOUR_S;
  if (isAhead(reading.time, now) || reading.time < from) return curve;
  const points = curve.time.map((at, row) => [at, curve.value[row] ?? null] as const);
  const others = points.filter(([at]) => at >= from && at !== slot);
  const counts = reading.value !== null && !reading.quality.startsWith("fail");
  const value = counts ? reading.value : (points.find(([at]) => at === slot)?.[1] ?? null);
  const all = [...others, [slot, value] as const].sort(([a], [b]) => a - b);
  return { ...curve, time: all.map(([at]) => at), value: all.map(([, value]) => value) };
}

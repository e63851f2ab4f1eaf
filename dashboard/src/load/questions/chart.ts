// The questions of a chart: its lines, what happened in its range, and, while it is live, its last steps.

import { type BucketColumns, joined } from "../../state/columns";
import { type ChartData, type ChartEvents, everyChannel, outdated, type State, type Store } from "../../state/model";
import { bounds, type Route } from "../../state/route";
import { chosen, seconds, seriesOf } from "../../state/series";
import { time, ZONE } from "../../state/words";
import { ApiError, ask, iso } from "../api";
import { askBuckets, type BucketsAnswer, bucketsIn } from "../buckets";
import { AGGREGATES, type AskedEarly, charted, chartKey, MOST_SERIES, plain, points } from "../charted";
import { passed } from "../passed";
import type { Asking } from "./asking";

/** While readings come, a live chart is refreshed each time it gains a point, but not sooner and not later than this. */
const SOONEST_MS = 1000;
const LATEST_MS = 60_000;

/** Events that are marked in one chart, at most: a picture is about a thousand pixels wide, and more marks than these would touch. */
const EVENTS_OF_A_CHART = 500;

/** A series whose readings come lacks so many steps at most, in a view that is refreshed: these are asked for together. */
const USUALLY_MISSING = 16;

/** Asks for charts, and refreshes live ones. */
export class ChartQuestions {
  private refreshed = 0;
  private refreshTimer = 0;
  private known: () => void = () => undefined;
  private readonly sensorsKnown = new Promise<void>((resolve) => {
    this.known = resolve;
  });

  constructor(
    private readonly store: Store,
    private readonly asking: Asking,
  ) {}

  /** Asks for what a chart needs, if the page is one. Names in full are asked for before the sensors are known. */
  begin(state: State): void {
    const { route } = state;
    if (state.sensors) this.known();
    if (route.page !== "chart" || !(state.sensors || plain(route.series))) return;
    const key = chartKey(route);
    this.asking.begin("chart", key, (signal) => this.lines(state, signal));
    if (route.series.length && !this.store.state.chart.busy)
      this.asking.begin("chartEvents", key, (signal) => this.eventsBeside(state, signal));
  }

  /** Names in full are asked for before it is known which series there are; what the API does not find is left to `chosen`. */
  private async lines(state: State, signal: AbortSignal): Promise<ChartData> {
    if (state.sensors) return this.buckets(state, signal);
    try {
      return await this.buckets(state, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500 || error.code === "away") throw error;
      await this.sensorsKnown;
      return this.buckets({ ...this.store.state, route: state.route }, signal); // the page may show something else by now
    }
  }

  private async buckets(state: State, signal: AbortSignal): Promise<ChartData> {
    const { route } = state;
    const early = this.askedEarly(route);
    const asked = Date.now() / 1000 + state.ahead;
    const [since, until] = early ? [early.since, early.until] : bounds(route, asked);
    const { channels, nothing } = chosen(everyChannel(state), route.series);
    const names = state.sensors ? channels.slice(0, MOST_SERIES).map((channel) => channel.series) : route.series;
    if (!names.length) return { series: [], before: [], unknown: nothing, notes: [], since, until, asked };
    const [answer, past] = await Promise.all([
      early ? bucketsIn(early.answer) : askBuckets(charted(names, since, until), signal),
      route.compare ? askBuckets(charted(names, since - route.range, until - route.range), signal) : null,
    ]);
    return {
      series: answer.series,
      before: past?.series ?? [],
      unknown: state.sensors ? nothing : [],
      notes: notesOf(answer, channels.length),
      since,
      until,
      asked: route.until === null ? until : asked,
    };
  }

  /** What was asked for before this script was there, once: only for the address of that time. */
  private askedEarly(route: Route): AskedEarly | undefined {
    const early = window.sensorlogdAskedEarly;
    delete window.sensorlogdAskedEarly;
    return early?.key === chartKey(route) ? early : undefined;
  }

  private async eventsBeside(state: State, signal: AbortSignal): Promise<ChartEvents> {
    const [since, until] = bounds(state.route, Date.now() / 1000 + state.ahead);
    const query = { since: iso(since), until: iso(until) };
    const [{ events }, { periods }] = await Promise.all([
      ask("events", { ...query, limit: EVENTS_OF_A_CHART }, signal),
      ask("alarm_periods", query, signal),
    ]);
    return { events, periods };
  }

  /** Readings have come: a live chart asks for its last steps again, no more often than it gains a point. */
  readonly news = (series: ReadonlySet<string>): void => {
    const { route, chart } = this.store.state;
    if (route.page !== "chart" || route.until !== null || document.hidden || chart.busy || !chart.data) return;
    if (!chart.data.series.some((buckets) => series.has(seriesOf(buckets)))) return;
    const wait = chart.error ? LATEST_MS : Math.min(Math.max((route.range / points()) * 1000, SOONEST_MS), LATEST_MS);
    window.clearTimeout(this.refreshTimer);
    this.refreshTimer = window.setTimeout(() => this.refresh(), Math.max(wait - passed(this.refreshed), 0));
  };

  private refresh(): void {
    this.refreshed = Date.now();
    const { chart, route, ahead } = this.store.state;
    const data = chart.data;
    if (!data || chart.busy || chart.outdated || chart.key !== chartKey(route) || route.page !== "chart" || route.until !== null)
      return;
    if (chart.error) {
      this.store.change(() => ({ chart: outdated(chart) })); // what is shown may be of another range: asked for whole
      return;
    }
    const now = Date.now() / 1000 + ahead;
    const [since, until] = bounds(route, now);
    this.asking.run(
      "chart",
      chart.key,
      async (signal) => {
        const [series, before] = await Promise.all([
          this.refreshedTo(data.series, since, until, signal),
          this.refreshedTo(data.before, since - route.range, until - route.range, signal),
        ]);
        return { ...data, series, before, since, until, asked: now };
      },
      data,
    );
  }

  /** The series moved on to [since, until): their last steps are asked for. */
  private async refreshedTo(
    series: readonly BucketColumns[],
    since: number,
    until: number,
    signal: AbortSignal,
  ): Promise<BucketColumns[]> {
    const tails = await Promise.all(together(series, until).map((group) => this.tail(group, since, until, signal)));
    const fresh = new Map(tails.flat().map((buckets) => [seriesOf(buckets), buckets]));
    return series.map((buckets) => {
      const tail = fresh.get(seriesOf(buckets));
      return tail ? joined(buckets, tail, since - 2 * seconds(buckets.step)) : buckets;
    });
  }

  /** From the last step but one on, which may have grown; after a long sleep not from before `since`. */
  private async tail(group: BucketColumns[], since: number, until: number, signal: AbortSignal): Promise<BucketColumns[]> {
    const step = group[0]?.step ?? "1s";
    const from = Math.max(Math.min(...group.map(lastSteps)), since - 2 * seconds(step));
    const answer = await askBuckets(
      {
        series: group.map((buckets) => seriesOf(buckets)),
        since: iso(from),
        until: iso(until),
        every: step,
        agg: AGGREGATES,
        tz: ZONE,
      },
      signal,
    );
    return answer.series;
  }
}

/** The notes below a chart: ranges of the file that cannot be read, notes of the API, and what was left out. */
function notesOf(answer: BucketsAnswer, meant: number): string[] {
  const damage = (answer.unreadable ?? []).map(
    (damaged) =>
      `${damaged.series} cannot be read from ${time(damaged.since, 0)} to ${time(damaged.until, 0)}: the file is damaged`,
  );
  const many = meant > MOST_SERIES ? [`${meant} series are meant; these are the first ${MOST_SERIES}`] : [];
  return [...new Set([...damage, ...answer.series.flatMap((series) => series.notes), ...many])];
}

/** Where the last steps of a series begin that are asked for again: the last one but one may have grown. */
const lastSteps = (buckets: BucketColumns): number => buckets.time.at(-2) ?? buckets.since;

/**
 * Series whose last steps are one question: of one step, and of no more than about twice the length to `until`. So a series that
 * has been silent for long does not have the others asked for as far back as itself.
 */
function together(series: readonly BucketColumns[], until: number): BucketColumns[][] {
  const groups = new Map<string, BucketColumns[]>();
  for (const buckets of series) {
    const missing = (until - lastSteps(buckets)) / (seconds(buckets.step) || 1);
    const key = `${buckets.step} ${Math.ceil(Math.log2(Math.max(missing / USUALLY_MISSING, 1)))}`;
    groups.set(key, [...(groups.get(key) ?? []), buckets]);
  }
  return [...groups.values()];
}

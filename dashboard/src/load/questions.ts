// What the pages ask the API. Each question belongs to an address of the page; an answer that comes after a change of it is dropped.

import { type By, period } from "../state/figures";
import { type Buckets, joined } from "../state/frame";
import type { Answered, ChartData, ChartEvents, EventsData, LogEvent, State, Store } from "../state/model";
import { bounds, type Route, write } from "../state/route";
import { chosen, seconds, seriesOf } from "../state/series";
import { time, ZONE } from "../state/words";
import { ApiError, ask, iso, json, knows, type Query } from "./api";
import { AGGREGATES, charted, type First, keyOf, MOST_SERIES, plain, points } from "./charted";
import type { Cost } from "./types";

const EVENTS_AT_ONCE = 200;
const SOONEST_MS = 1000;
const LATEST_MS = 60_000;

type Kind = "chart" | "chartEvents" | "events" | "figures" | "database" | "costs";

/** Asks what the page at the present address shows, asks again when that is out of date, and drops late answers. */
export class Questions {
  private readonly running = new Map<Kind, AbortController>();
  private refreshed = 0;
  private again = 0;
  private known: () => void = () => undefined;
  private readonly knowing = new Promise<void>((resolve) => {
    this.known = resolve;
  });

  constructor(private readonly store: Store) {}

  /** Called after each change: asks for what the page needs and nobody has asked for yet. */
  readonly look = (state: State): void => {
    const { route } = state;
    if (state.sensors) this.known();
    if (route.page === "chart" && (state.sensors || plain(route.series))) {
      const key = keyOf(route);
      this.begin("chart", key, (signal) => this.chart(state, signal));
      if (route.series.length && !this.store.state.chart.busy)
        this.begin("chartEvents", key, (signal) => this.chartEvents(state, signal));
    }
    if (route.page === "events" || route.page === "sensor")
      this.begin("events", eventsKey(route), (signal) => this.events(route, signal));
    if (route.page === "database")
      this.begin("database", route.more["parts"] ?? "0", (signal) =>
        ask("database", { parts: route.more["parts"] ?? "0" }, signal),
      );
    if (route.page === "use" && route.series.length)
      this.begin("costs", write({ ...route, kiosk: false }), (signal) => this.costs(state, signal));
    if (["use", "year", "rose"].includes(route.page) && route.series.length)
      this.begin("figures", write({ ...route, kiosk: false }), (signal) => this.figures(state, signal));
  };

  private begin<T>(kind: Kind, key: string, question: (signal: AbortSignal) => Promise<T>): void {
    const answered = this.store.state[kind] as Answered<T>;
    if (answered.key === key) return;
    this.run(kind, key, question, kind === "chart" || kind === "chartEvents" ? answered.data : null);
  }

  private run<T>(kind: Kind, key: string, question: (signal: AbortSignal) => Promise<T>, meanwhile: T | null): void {
    this.running.get(kind)?.abort();
    const controller = new AbortController();
    this.running.set(kind, controller);
    this.store.change(() => ({ [kind]: { key, data: meanwhile, busy: true } }) as Partial<State>);
    question(controller.signal)
      .then((data) => {
        if (this.running.get(kind) === controller)
          this.store.change(() => ({ [kind]: { key, data, busy: false }, error: "" }) as Partial<State>);
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        if (!(error instanceof ApiError)) console.error(error);
        const away = error instanceof ApiError && (error.code === "away" || error.status === 503);
        this.store.change(
          (state) =>
            ({
              [kind]: { ...state[kind], busy: false },
              error: away ? state.error : error instanceof ApiError ? error.message : "Something went wrong on this page.",
            }) as Partial<State>,
        );
        if (away)
          window.setTimeout(
            () =>
              this.store.change((state) =>
                state[kind].key === key ? ({ [kind]: { ...state[kind], key: "" } } as Partial<State>) : null,
              ),
            2000,
          );
      });
  }

  // ---- charts ------------------------------------------------------------------------------------------------------

  /** Names in full are asked for before it is known which series there are; what the API does not find is left to `chosen`. */
  private async chart(state: State, signal: AbortSignal): Promise<ChartData> {
    if (state.sensors) return this.buckets(state, signal);
    try {
      return await this.buckets(state, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500 || error.code === "away") throw error;
      await this.knowing;
      return this.buckets(this.store.state, signal);
    }
  }

  private async buckets(state: State, signal: AbortSignal): Promise<ChartData> {
    const { route } = state;
    const first = this.first(route);
    const [since, until] = first ? [first.since, first.until] : bounds(route, Date.now() / 1000 + state.ahead);
    const known = [...(state.sensors ?? []), ...state.former].flatMap((sensor) => sensor.channels);
    const { channels, nothing } = chosen(known, route.series);
    const names = state.sensors ? channels.slice(0, MOST_SERIES).map((channel) => channel.series) : route.series;
    if (!names.length) return { series: [], before: [], unknown: nothing, notes: [], since, until };
    const [answer, past] = await Promise.all([
      first ? (json(first.answer) as ReturnType<typeof ask<"buckets">>) : ask("buckets", charted(names, since, until), signal),
      route.compare ? ask("buckets", charted(names, since - route.range, until - route.range), signal) : null,
    ]);
    return {
      series: answer.series as Buckets[],
      before: (past?.series ?? []) as Buckets[],
      unknown: state.sensors ? nothing : [],
      notes: notesOf(answer, channels.length),
      since,
      until,
    };
  }

  /** What was asked for before this script was there, once: only for the address of that time. */
  private first(route: Route): First | undefined {
    const first = window.sensorlogdFirst;
    delete window.sensorlogdFirst;
    return first?.key === keyOf(route) ? first : undefined;
  }

  private async chartEvents(state: State, signal: AbortSignal): Promise<ChartEvents> {
    const [since, until] = bounds(state.route, Date.now() / 1000 + state.ahead);
    const query = { since: iso(since), until: iso(until) };
    const [{ events }, { periods }] = await Promise.all([
      ask("events", { ...query, limit: 500 }, signal),
      ask("alarm_periods", query, signal),
    ]);
    return { events, periods };
  }

  /** Readings have come: a live chart asks for its last steps again, no more often than it gains a point. */
  readonly news = (series: ReadonlySet<string>): void => {
    const { route, chart } = this.store.state;
    if (route.page !== "chart" || route.until !== null || document.hidden || chart.busy || !chart.data) return;
    if (!chart.data.series.some((buckets) => series.has(seriesOf(buckets)))) return;
    const wait = Math.min(Math.max((route.range / points()) * 1000, SOONEST_MS), LATEST_MS);
    const since = Date.now() - this.refreshed;
    window.clearTimeout(this.again);
    this.again = window.setTimeout(() => this.refresh(), Math.max(wait - since, 0));
  };

  private refresh(): void {
    this.refreshed = Date.now();
    const { chart, route, ahead } = this.store.state;
    const data = chart.data;
    if (!data || chart.busy || route.page !== "chart" || route.until !== null) return;
    const now = Date.now() / 1000 + ahead;
    const [since, until] = bounds(route, now);
    this.run(
      "chart",
      chart.key,
      async (signal) => {
        const tails = await Promise.all(steps(data.series).map((group) => this.tail(group, until, signal)));
        const fresh = new Map(tails.flat().map((buckets) => [seriesOf(buckets), buckets]));
        const series = data.series.map((buckets) => {
          const tail = fresh.get(seriesOf(buckets));
          return tail ? joined(buckets, tail, since - 2 * seconds(buckets.step)) : buckets;
        });
        return { ...data, series, since, until };
      },
      data,
    );
  }

  private async tail(group: Buckets[], until: number, signal: AbortSignal): Promise<Buckets[]> {
    const step = group[0]?.step ?? "1s";
    const from = Math.min(...group.map((buckets) => buckets.time.at(-2) ?? buckets.since));
    const answer = await ask(
      "buckets",
      {
        series: group.map((buckets) => seriesOf(buckets)),
        since: iso(from),
        until: iso(until),
        every: step,
        shape: "columns",
        agg: AGGREGATES,
        tz: ZONE,
      },
      signal,
    );
    return answer.series as Buckets[];
  }

  // ---- events ------------------------------------------------------------------------------------------------------

  private async events(route: Route, signal: AbortSignal): Promise<EventsData> {
    const query: Query = { limit: route.page === "sensor" ? 50 : EVENTS_AT_ONCE };
    const wanted: Record<string, string> = {
      sensor: route.sensor || (route.more["sensor"] ?? ""),
      kind: route.more["kind"] ?? "",
      before: route.more["before"] ?? "",
    };
    for (const [name, value] of Object.entries(wanted)) if (value && knows("events", name)) query[name] = value;
    const answer = (await ask("events", query, signal)) as { events: LogEvent[]; earlier?: number | null };
    return { events: answer.events, earlier: answer.earlier ?? null };
  }

  // ---- consumption, years, roses --------------------------------------------------------------------------------------

  private async figures(state: State, signal: AbortSignal): Promise<Buckets[]> {
    const { route } = state;
    const now = Date.now() / 1000 + state.ahead;
    const query: Query = { series: route.series, shape: "columns", tz: ZONE };
    if (route.page === "rose") {
      const [since, until] = bounds(route, now);
      Object.assign(query, { since: iso(since), until: iso(until), max_points: 3000, agg: "mean" });
    } else if (route.page === "year") {
      const year = Number(route.more["year"]) || new Date(now * 1000).getFullYear();
      Object.assign(query, {
        since: iso(new Date(year, 0, 1).getTime() / 1000),
        until: iso(new Date(year + 1, 0, 1).getTime() / 1000),
        every: "1d",
        agg: "mean,min,max,increase",
      });
    } else {
      const by = (route.more["by"] ?? "1d") as By;
      const [since, until] = period(by, Number(route.more["at"]) || now);
      Object.assign(query, { since: iso(since), until: iso(until), every: by, agg: "increase" });
    }
    return (await ask("buckets", query, signal)).series as Buckets[];
  }

  /** Costs by the prices of the configuration; counters without a price are left out. */
  private async costs(state: State, signal: AbortSignal): Promise<Cost[]> {
    const { route, ahead } = state;
    const by = (route.more["by"] ?? "1d") as By;
    const [since, until] = period(by, Number(route.more["at"]) || Date.now() / 1000 + ahead);
    const query = { series: route.series, since: iso(since), until: iso(until), every: by, tz: ZONE };
    return (await ask("cost", query, signal)).series;
  }
}

/** The notes below a chart: ranges of the file that cannot be read, notes of the API, and what was left out. */
function notesOf(answer: { series: { notes: string[] }[] }, meant: number): string[] {
  const lost = (answer as { unreadable?: { series: string; since: number; until: number }[] }).unreadable ?? [];
  const damage = lost.map(
    (damaged) =>
      `${damaged.series} cannot be read from ${time(damaged.since, 0)} to ${time(damaged.until, 0)}: the file is damaged`,
  );
  const many = meant > MOST_SERIES ? [`${meant} series are meant; these are the first ${MOST_SERIES}`] : [];
  return [...new Set([...damage, ...answer.series.flatMap((series) => series.notes), ...many])];
}

const eventsKey = (route: Route): string =>
  `${route.page}|${route.sensor}|${route.more["sensor"] ?? ""}|${route.more["kind"] ?? ""}|${route.more["before"] ?? ""}`;

/** Series by the length of their steps. */
function steps(series: readonly Buckets[]): Buckets[][] {
  const groups = new Map<string, Buckets[]>();
  for (const buckets of series) groups.set(buckets.step, [...(groups.get(buckets.step) ?? []), buckets]);
  return [...groups.values()];
}

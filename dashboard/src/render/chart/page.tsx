// The page of charts: which series, which time, a picture for each few units, a legend.

import { useMemo, useRef } from "preact/hooks";
import { address, iso } from "../../load/api";
import { limitsOf, periodsOf } from "../../state/alarms";
import { pictures } from "../../state/chart/axes";
import { eventsShown, linesOf } from "../../state/chart/drawn";
import type { BucketColumns } from "../../state/columns";
import { levelOfEvent } from "../../state/events";
import { type AlarmPeriod, type ChartData, everyChannel, type LogEvent, type State } from "../../state/model";
import { between, moved, type Route, zoomed } from "../../state/route";
import { seriesOf } from "../../state/series";
import { plural, span, time, ZONE } from "../../state/words";
import type { Act } from "../act";
import { Empty } from "../parts/texts";
import { save } from "./file";
import { Legend } from "./legend";
import { Marking } from "./marking/marking";
import { Picker } from "./picker";
import type { Gestures } from "./picture/gestures";
import { Picture } from "./picture/picture";
import { Table } from "./table";
import { Tools } from "./tools";

const QUIET = new Set(["connected", "started", "stopped", "config_reloaded"]);
/** From this width of the window on, in CSS pixels, a picture has room for a third axis. */
const WIDE = 900;
/** Rows for each series of the file that *CSV* saves, at most: the file stays small, whatever the range. `sensorlogd export` gives all. */
const CSV_POINTS = 2000;

/** The page itself; it computes what is drawn, and hands it to the pictures. */
export function ChartPage({ state, act }: { state: State; act: Act }) {
  const { route, chart } = state;
  const data = chart.data;
  const known = useKept(useMemo(() => everyChannel(state), [state.sensors, state.former]));
  const lines = useMemo(() => (data ? linesOf(data, known, route.totals) : []), [data, known, route.totals]);
  const hiddenNames = useKept(route.hidden);
  const hidden = useMemo(() => new Set(hiddenNames), [hiddenNames]);
  const events = useKept(useMemo(() => eventsShown(state, data), [state.chartEvents, state.recent, data]));
  const loud = useMemo(() => events.filter((event) => !QUIET.has(event.kind) && !event.kind.startsWith("alarm_")), [events]);
  const limits = useKept(
    useMemo(
      () =>
        limitsOf(
          lines.filter((line) => !hidden.has(line.name)),
          state.alarms,
        ),
      [lines, state.alarms, hidden],
    ),
  );
  const periods = useKept(useMemo(() => periodsOf(state.chartEvents.data?.periods ?? [], lines), [state.chartEvents, lines]));
  const shown = useMemo(() => pictures(lines, window.innerWidth < WIDE ? 2 : 3), [lines]);
  const rights = Math.max(
    0,
    ...shown.map((group) => new Set(group.filter((line) => line.kind !== "state").map((line) => line.unit)).size - 1),
  );
  const gestures: Gestures = {
    zoom: (since, until) => (state.marking ? act.mark({ since, until }) : act.go(between(route, since, until))),
    pan: (share) => act.go(moved(route, state.now, share)),
    scale: (factor, around) => act.go(zoomed(route, state.now, factor, around)),
    cursor: act.cursor,
    say: act.say,
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const first = data?.series[0];
  return (
    <>
      <h2 class="unseen">Charts</h2>
      {route.kiosk ? null : (
        <>
          <Tools
            state={state}
            act={act}
            csv={csv(route, data)}
            png={() =>
              save(
                lines.map((line) => line.name),
                caption(data, state),
              )
            }
          />
          <Picker state={state} act={act} known={known} />
        </>
      )}
      <p class="span">
        {state.cursor === null ? caption(data, state) : `${time(state.cursor, state.now, route.range < 120)} ${ZONE}`}
      </p>
      <div class="pictures" data-step={first?.step ?? ""} data-busy={chart.busy ? "1" : undefined}>
        {shown.map((group) => (
          <section
            class="picture"
            key={group.map((line) => line.name).join()}
            aria-label={group.map((line) => line.name).join(", ")}
          >
            <Picture
              lines={group}
              since={data?.since ?? 0}
              until={data?.until ?? 1}
              events={loud}
              limits={limits}
              periods={periods}
              marking={state.marking}
              hidden={hidden}
              rights={rights}
              dark={dark}
              now={state.now}
              gestures={gestures}
            />
            <Legend lines={group} state={state} act={act} />
          </section>
        ))}
        {data?.notes.map((note) => (
          <p key={note} class="warn">
            {note}
          </p>
        ))}
        {data?.unknown.length ? <Empty>{`There is no series ${data.unknown.join(", ")}.`}</Empty> : null}
        {!route.series.length ? (
          <Empty>Choose series above.</Empty>
        ) : !data ? (
          chart.error ? null : (
            <Empty>Asking sensorlogd …</Empty>
          )
        ) : !lines.length && !data.unknown.length && !chart.busy ? (
          <Empty>There are no readings in this range.</Empty>
        ) : null}
      </div>
      {data && !route.kiosk ? (
        <>
          <Periods periods={periods} state={state} />
          <EventList events={events} state={state} />
          <Table lines={lines} now={state.now} />
          <Marking state={state} act={act} data={data} />
        </>
      ) : null}
    </>
  );
}

/** The list of before, if this one has the same members: who draws from it need not draw again. */
function useKept<T>(list: readonly T[]): readonly T[] {
  const kept = useRef(list);
  if (list.length !== kept.current.length || list.some((member, at) => member !== kept.current[at])) kept.current = list;
  return kept.current;
}

function caption(data: ChartData | null, state: State): string {
  const first: BucketColumns | undefined = data?.series[0];
  if (!data || !first) return "";
  const rollUps = first.resolution === "raw" ? "" : `, from ${first.resolution} roll-ups`;
  return `${span(data.since, data.until, state.now)} ${ZONE}, steps of ${first.step}${rollUps}${state.route.compare ? ", dotted: the period before" : ""}`;
}

function csv(route: Route, data: ChartData | null): string | undefined {
  if (!data?.series.length) return undefined;
  const series = data.series.map((buckets) => seriesOf(buckets));
  return address("buckets", {
    series,
    since: iso(data.since),
    until: iso(data.until),
    max_points: CSV_POINTS,
    format: "csv",
    ...(route.totals ? { agg: "last" } : {}),
  });
}

/** The shaded parts, in words. */
function Periods({ periods, state }: { periods: readonly AlarmPeriod[]; state: State }) {
  if (!periods.length) return null;
  return (
    <details class="marks" data-periods={periods.length}>
      <summary>{plural(periods.length, "time")} in alarm in this range (shaded)</summary>
      <ul class="events">
        {[...periods].reverse().map((period) => (
          <li key={`${period.alarm} ${period.series} ${period.since}`}>
            <time>{time(period.since, state.now)}</time> to{" "}
            {period.until === null ? "now, not yet over" : <time>{time(period.until, state.now)}</time>}{" "}
            <b class="bad">{period.alarm}</b> {period.series}
          </li>
        ))}
      </ul>
    </details>
  );
}

function EventList({ events, state }: { events: readonly LogEvent[]; state: State }) {
  if (!events.length) return null;
  return (
    <details class="marks">
      <summary>{plural(events.length, "event")} in this range</summary>
      <ul class="events">
        {[...events].reverse().map((event) => (
          <li key={event.id}>
            <time>{time(event.time, state.now)}</time> {event.sensor ?? ""} <b class={levelOfEvent(event.kind)}>{event.kind}</b>{" "}
            {event.detail}
          </li>
        ))}
      </ul>
    </details>
  );
}

// The page of charts: which series, which time, a picture for each few units, a legend.

import { shownOf } from "../../state/chart/lines";
import type { BucketColumns } from "../../state/columns";
import type { ChartData, State } from "../../state/model";
import { span, time, ZONE } from "../../state/words";
import type { Act } from "../act";
import { Empty } from "../parts/texts";
import { csv } from "./csv";
import { useDrawn } from "./drawn";
import { save } from "./file";
import { EventList, Periods } from "./lists";
import { Marking } from "./marking/marking";
import { Picker } from "./picker";
import { Pictures } from "./pictures";
import { Table } from "./table";
import { Tools } from "./tools";

/** In a range shorter than this, in seconds, the time at the cursor has milliseconds. */
const FINE_S = 120;

/** The page itself: its tools, its pictures, and below them the same in words. */
export function ChartPage({ state, act }: { state: State; act: Act }) {
  const { route, chart, cursor } = state;
  const { data } = chart;
  const drawn = useDrawn(state);
  const png = () => save(shownOf(drawn.lines, drawn.hidden), caption(data, state));
  return (
    <>
      <h2 class="unseen">Charts</h2>
      {route.kiosk ? null : (
        <>
          <Tools state={state} act={act} csv={csv(data)} png={png} />
          <Picker state={state} act={act} known={drawn.known} />
        </>
      )}
      <p class="span">{cursor === null ? caption(data, state) : `${time(cursor, state.now, route.range < FINE_S)} ${ZONE}`}</p>
      <div class="pictures" data-step={data?.series[0]?.step ?? ""} data-busy={chart.busy ? "1" : undefined}>
        <Pictures state={state} act={act} drawn={drawn} />
        {data?.notes.map((note) => (
          <p key={note} class="warn">
            {note}
          </p>
        ))}
        <Instead state={state} />
      </div>
      {data && !route.kiosk ? (
        <>
          <Periods periods={drawn.periods} state={state} />
          <EventList events={drawn.events} state={state} />
          <Table lines={drawn.lines} now={state.now} />
          <Marking state={state} act={act} data={data} />
        </>
      ) : null}
    </>
  );
}

/** Sentences where there is no picture, or not one of all series. */
function Instead({ state: { route, chart } }: { state: State }) {
  const { data } = chart;
  const unknown = data?.unknown ?? [];
  if (!route.series.length) return <Empty>Choose series above.</Empty>;
  if (!data) return chart.error ? null : <Empty>Asking sensorlogd …</Empty>;
  if (unknown.length) return <Empty>{`There is no series ${unknown.join(", ")}.`}</Empty>;
  return data.series.length || chart.busy ? null : <Empty>There are no readings in this range.</Empty>;
}

/** What the pictures show: from when to when, in which steps. */
function caption(data: ChartData | null, state: State): string {
  const first: BucketColumns | undefined = data?.series[0];
  if (!data || !first) return "";
  const rollUps = first.resolution === "raw" ? "" : `, from ${first.resolution} roll-ups`;
  const before = state.route.compare ? ", dotted: the period before" : "";
  return `${span(data.since, data.until, state.now)} ${ZONE}, steps of ${first.step}${rollUps}${before}`;
}

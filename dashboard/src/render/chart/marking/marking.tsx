// A range that is marked: the form for it, or the commands for a shell.

import { iso } from "../../../load/api";
import type { ChartData, Range, State } from "../../../state/model";
import { seriesOf } from "../../../state/series";
import type { Act } from "../../act";
import { Form } from "./form";

/** Folded below the charts. While it is open a range is marked, the whole chart at first. */
export function Marking({ state, act, data }: { state: State; act: Act; data: ChartData }) {
  const names = data.series.map((buckets) => seriesOf(buckets));
  const { marking } = state;
  return (
    <details
      class="commands"
      onToggle={(event) => act.select(event.currentTarget.open ? (marking ?? { since: data.since, until: data.until }) : null)}
    >
      <summary>Flag, note or export this range</summary>
      {marking === null ? null : state.status?.changes ? (
        <Form key={names.join()} state={state} act={act} names={names} marking={marking} />
      ) : (
        <p class="unit">
          Nothing may be changed from these pages; web: {"{"}changes: true{"}"} in the configuration allows it. In a shell:
        </p>
      )}
      {marking === null ? null : <Commands names={names} marking={marking} />}
    </details>
  );
}

/** For a shell. */
function Commands({ names, marking }: { names: readonly string[]; marking: Range }) {
  const range = `--since ${iso(marking.since)} --until ${iso(marking.until)}`;
  return (
    <>
      <pre>
        {names
          .map((name) => `sensorlogd flag ${name} fail ${range} --note "why"\n`)
          .concat(
            names.slice(0, 1).map((name) => `sensorlogd note ${name} "what happened" --at ${iso(marking.since)}\n`),
            `sensorlogd export ${names.join(" ")} ${range} -o range.csv`,
          )
          .join("")}
      </pre>
      <p class="unit">Flagged readings are left out of means and stay in the log; a flag can be taken back.</p>
    </>
  );
}

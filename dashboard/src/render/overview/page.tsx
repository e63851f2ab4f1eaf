// All sensors: trouble first, then groups. Cards while they are few, rows when they are many.

import { ordered, type SensorReport } from "../../state/health";
import type { State } from "../../state/model";
import { groupings, isFound } from "../../state/pages/overview";
import { overviewParameters } from "../../state/parameters";
import { to } from "../../state/route";
import { plural } from "../../state/words";
import type { Act } from "../act";
import { Raised } from "../alarms";
import { Empty } from "../parts/texts";
import { isNarrow } from "../widths";
import { Cards } from "./cards";
import { Groups } from "./groups";
import { Rows } from "./rows";
import { OverviewTools } from "./tools";

/** More sensors than this are shown as rows, unless cards were chosen. */
const MANY = 12;
/** So few sensors need no tools. */
const FEW = 3;
/** In a narrow window, groups of rows begin folded when there are more sensors than this. */
const FOLDED_FROM = 20;

/** The first page: all sensors. */
export function Overview({ state, act }: { state: State; act: Act }) {
  if (!state.sensors) return <Empty>Asking sensorlogd …</Empty>;
  const { route } = state;
  const chosen = overviewParameters(route);
  const search = chosen.find.trim();
  const keys = groupings(state.sensors);
  const by = chosen.by ?? (keys[0] || "");
  const rows = (chosen.show ?? (state.sensors.length > MANY ? "rows" : "cards")) === "rows";
  const reports = ordered(state);
  const matching = reports.filter((report) => !search || isFound(report, search));
  const trouble = matching.filter((report) => report.level === "bad" || report.level === "warn");
  const rest = matching.filter((report) => !trouble.includes(report));
  const folded = rows && !search && isNarrow() && reports.length > FOLDED_FROM;
  const choose = (name: string, value: string) => act.go((route) => ({ ...route, more: { ...route.more, [name]: value } }), true);
  const list = (shown: SensorReport[]) =>
    rows ? <Rows reports={shown} state={state} act={act} /> : <Cards reports={shown} state={state} act={act} />;
  return (
    <>
      <h2 class="unseen">Sensors</h2>
      {route.kiosk || reports.length <= FEW ? null : (
        <OverviewTools route={route} keys={keys} by={by} rows={rows} choose={choose} />
      )}
      <Raised state={state} />
      {trouble.length ? (
        <section class="group trouble" aria-label="Needs a look">
          <h3>
            {plural(trouble.length, "sensor")} {trouble.length === 1 ? "needs" : "need"} a look
          </h3>
          {list(trouble)}
        </section>
      ) : null}
      <Groups reports={rest} by={by} headed={trouble.length > 0} folded={folded} list={list} />
      {reports.length === 0 ? (
        <Empty>
          No sensor is configured. What was imported, or logged by former sensors, is under <a href={to("chart")}>Charts</a>.
        </Empty>
      ) : null}
      {reports.length && !matching.length ? <Empty>No sensor matches “{search}”.</Empty> : null}
    </>
  );
}

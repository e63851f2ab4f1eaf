// Sensors as rows: the first channels of each, and the curve of the first one. For many sensors.

import { levelOfHealth, type SensorReport } from "../../state/health";
import type { State } from "../../state/model";
import { to } from "../../state/route";
import type { Act } from "../act";
import { Spark } from "../parts/spark";
import { Breakable } from "../parts/texts";
import { Age, InAlarm, Value } from "../parts/values";

/** Channels that a row has room for; of the others it says how many there are. */
const SHOWN = 3;

/** One row a sensor, in the order given. */
export function Rows({ reports, state, act }: { reports: SensorReport[]; state: State; act: Act }) {
  return (
    <ul class="rows">
      {reports.map((report) => {
        const [first] = report.sensor.channels;
        return (
          <li key={report.sensor.sensor} class={report.level} data-sensor={report.sensor.sensor} data-state={report.health}>
            <a href={to("sensor", { sensor: report.sensor.sensor })}>
              <span class="who">
                <span class={`dot ${report.level}`} />
                <b>
                  <Breakable>{report.sensor.sensor}</Breakable>
                </b>
                {report.health === "ok" ? (
                  <span class="unseen state">ok</span>
                ) : (
                  <span class={`state ${levelOfHealth(report.health)}`}>{report.health}</span>
                )}
              </span>
              <span class="what">
                {report.sensor.channels.slice(0, SHOWN).map((channel) => (
                  <span key={channel.series} class="reading" data-series={channel.series}>
                    <span class="channel">{channel.channel} </span>
                    <Value state={state} channel={channel} />
                    <InAlarm state={state} channel={channel} />
                  </span>
                ))}
                {report.sensor.channels.length > SHOWN ? (
                  <span class="channel">+{report.sensor.channels.length - SHOWN}</span>
                ) : null}
              </span>
              {first ? (
                <Spark
                  key={first.series}
                  series={first.series}
                  heartbeat={first.heartbeat_s}
                  curve={state.curves.get(first.series)}
                  act={act}
                />
              ) : (
                <span />
              )}
              {first ? <Age state={state} channel={first} /> : <span class="age">never</span>}
              {report.says ? <span class={`error ${report.level}`}>{report.says}</span> : null}
            </a>
          </li>
        );
      })}
    </ul>
  );
}

// Sensors as cards: every channel with its value and its small curve. For few sensors.

import { levelOfHealth, type SensorReport } from "../../state/health";
import type { State } from "../../state/model";
import { to } from "../../state/route";
import type { Act } from "../act";
import { Spark } from "../parts/spark";
import { Breakable, Pill } from "../parts/texts";
import { Age, InAlarm, Rise, Value } from "../parts/values";

/** One card a sensor, in the order given. */
export function Cards({ reports, state, act }: { reports: SensorReport[]; state: State; act: Act }) {
  return (
    <div class="cards">
      {reports.map((report) => (
        <section
          key={report.sensor.sensor}
          class={`card ${report.level}`}
          data-sensor={report.sensor.sensor}
          data-state={report.health}
          aria-label={report.sensor.sensor}
        >
          <h4>
            <a href={to("sensor", { sensor: report.sensor.sensor })}>
              <Breakable>{report.sensor.sensor}</Breakable>
            </a>
            <Pill level={levelOfHealth(report.health)}>{report.health}</Pill>
          </h4>
          {report.says ? <p class={`error ${report.level}`}>{report.says}</p> : null}
          <ul>
            {report.sensor.channels.map((channel) => (
              <li key={channel.series} data-series={channel.series}>
                <a href={to("chart", { series: [channel.series] })}>
                  <span class="channel">
                    <Breakable>{channel.channel}</Breakable>
                    <small>
                      <Age state={state} channel={channel} />
                      <Rise curve={state.curves.get(channel.series)} channel={channel} />
                      <InAlarm state={state} channel={channel} />
                    </small>
                  </span>
                  <Value state={state} channel={channel} />
                  <Spark
                    series={channel.series}
                    heartbeat={channel.heartbeat_s}
                    curve={state.curves.get(channel.series)}
                    act={act}
                  />
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

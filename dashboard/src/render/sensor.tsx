// One sensor: how it is, since when, what it says, what happened to it, what to do now.

import { EVENTS_OF_A_SENSOR } from "../load/questions/events";
import { ofSensor } from "../state/alarms";
import { listedEvents } from "../state/events";
import { advice, levelOfHealth, reportOf, type SensorReport } from "../state/health";
import type { State } from "../state/model";
import { to } from "../state/route";
import type { Channel } from "../state/series";
import { age, duration, plural, time } from "../state/words";
import type { Act } from "./act";
import { AlarmTable } from "./alarms";
import { EventTable } from "./events";
import { Spark } from "./parts/spark";
import { Breakable, Empty, Pill } from "./parts/texts";
import { Age, InAlarm, Rise, Value } from "./parts/values";

/** The page of the sensor that the route names. */
export function SensorPage({ state, act }: { state: State; act: Act }) {
  const name = state.route.sensor;
  const sensor = [...(state.sensors ?? []), ...state.former].find((sensor) => sensor.sensor === name);
  if (!sensor) return state.sensors ? <Empty>There is no sensor {name}.</Empty> : <Empty>Asking sensorlogd …</Empty>;
  const report = reportOf(state, sensor);
  const alarms = state.alarms.filter((alarm) => ofSensor(alarm, name));
  return (
    <>
      <h2 class="title">
        <span>
          <Breakable>{name}</Breakable>
        </span>
        <Pill level={levelOfHealth(report.health)}>{report.health}</Pill>
      </h2>
      {report.says ? <p class={`error ${report.level}`}>{report.says}</p> : null}
      <p class="advice">
        <b>What to do now: </b>
        {advice(report, state.now)}
      </p>
      <Facts report={report} now={state.now} />
      <h3>
        {plural(sensor.channels.length, "channel")}{" "}
        <a class="button" href={to("chart", { series: sensor.channels.map((channel) => channel.series) })}>
          all in a chart
        </a>
      </h3>
      <Channels channels={sensor.channels} state={state} act={act} />
      {alarms.length ? (
        <>
          <h3>{plural(alarms.length, "alarm")}</h3>
          <AlarmTable alarms={alarms} state={state} />
        </>
      ) : null}
      <h3>What happened to it</h3>
      <EventTable events={listedEvents(state).slice(0, EVENTS_OF_A_SENSOR)} state={state} />
    </>
  );
}

/** How it is, its labels, its counts. */
function Facts({ report, now }: { report: SensorReport; now: number }) {
  const { sensor, last } = report;
  const labels = new Map(sensor.channels.flatMap((channel) => Object.entries(channel.labels)));
  return (
    <dl class="facts">
      <Fact name="Last reading">{last === null ? "never" : `${age(now - last)} (${time(last, now)})`}</Fact>
      <Fact name="Doing">{`${sensor.state}${sensor.since ? `, for ${duration(Math.max(now - sensor.since, 0))}` : ""}`}</Fact>
      {sensor.error ? <Fact name={report.level === "good" ? "Last error (over)" : "Last error"}>{sensor.error}</Fact> : null}
      {[...labels].map(([key, value]) => (
        <Fact key={key} name={key}>
          {value}
        </Fact>
      ))}
      {Object.entries(sensor.counters).map(([key, value]) => (
        <Fact key={key} name={key.replaceAll("_", " ")}>
          {String(value)}
        </Fact>
      ))}
    </dl>
  );
}

const Fact = ({ name, children }: { name: string; children: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** Each channel with its newest value and its last hour; it leads to its chart. */
const Channels = ({ channels, state, act }: { channels: readonly Channel[]; state: State; act: Act }) => (
  <ul class="card channels">
    {channels.map((channel) => (
      <li key={channel.series} data-series={channel.series}>
        <a href={to("chart", { series: [channel.series] })}>
          <span class="channel">
            <Breakable>{channel.channel}</Breakable>{" "}
            <small>
              {channel.kind}, heartbeat {duration(channel.heartbeat_s)}
            </small>
            <small>
              <Age state={state} channel={channel} />
              <Rise curve={state.curves.get(channel.series)} channel={channel} />
              <InAlarm state={state} channel={channel} />
            </small>
          </span>
          <Value state={state} channel={channel} />
          <Spark series={channel.series} heartbeat={channel.heartbeat_s} curve={state.curves.get(channel.series)} act={act} />
        </a>
      </li>
    ))}
  </ul>
);

// Alarms: those that need attention, on the overview; all of them, on a page of their own.

import { isRaised, levelOfAlarm, tally } from "../state/alarms";
import type { Alarm, State } from "../state/model";
import { text } from "../state/numbers";
import { to } from "../state/route";
import { plural, time } from "../state/words";
import { Acknowledging } from "./acknowledging";
import { Breakable, Empty, Pill } from "./parts/texts";

/** For the head. */
export function AlarmTally({ state }: { state: State }) {
  const raised = tally(state.alarms);
  return raised ? (
    <a class={`tally ${raised.level}`} id="alarms" href={to("alarms")}>
      {raised.words}
    </a>
  ) : null;
}

/** What an alarm is about: a series leads to its chart, a sensor to its page. */
function Subject({ of: alarm }: { of: Alarm }) {
  if (!alarm.series) return <span>the daemon</span>;
  const href = alarm.series.includes(".") ? to("chart", { series: [alarm.series] }) : to("sensor", { sensor: alarm.series });
  return (
    <a href={href}>
      <Breakable>{alarm.series}</Breakable>
    </a>
  );
}

/** With as many places as the channel has. */
function measured(alarm: Alarm, state: State): string {
  if (alarm.value === null) return "";
  const channel = state.sensors?.flatMap((sensor) => sensor.channels).find((known) => known.series === alarm.series);
  return `${text(alarm.value, channel?.decimals)} ${alarm.unit}`.trim();
}

/** For the overview: alarms that are raised or wait to be acknowledged. Nothing while there are none. */
export function Raised({ state }: { state: State }) {
  const raised = state.alarms.filter(isRaised);
  if (!raised.length) return null;
  return (
    <section class="group trouble" aria-label="Alarms">
      <h3>
        {plural(raised.length, "alarm")}{" "}
        <a class="button" href={to("alarms")}>
          all alarms
        </a>
      </h3>
      <ul class="plain">
        {raised.map((alarm) => (
          <li key={alarm.alarm + alarm.series} data-alarm={alarm.alarm} data-state={alarm.state}>
            <Pill level={levelOfAlarm(alarm.state)}>{alarm.state}</Pill> <b>{alarm.alarm}</b> <Subject of={alarm} />{" "}
            {alarm.condition}
            {alarm.value === null ? "" : ` (${measured(alarm, state)})`}, since {time(alarm.since, state.now)}
            {alarm.text ? `; ${alarm.text}` : ""}
            {alarm.note ? `; note: ${alarm.note}` : ""}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Alarms as rows, in the order given. */
export function AlarmTable({ alarms, state }: { alarms: readonly Alarm[]; state: State }) {
  return (
    <table class="wide">
      <thead>
        <tr>
          {["State", "Alarm", "Of", "Since", "Value", "Raised", "What to do, notes"].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {alarms.map((alarm) => (
          <tr key={`${alarm.alarm} ${alarm.series}`} data-alarm={alarm.alarm} data-state={alarm.state}>
            <td>
              <Pill level={levelOfAlarm(alarm.state)}>{alarm.state}</Pill> {alarm.severity === "warning" ? "" : alarm.severity}
            </td>
            <td>
              <b>
                <Breakable>{alarm.alarm}</Breakable>
              </b>{" "}
              {alarm.condition}
            </td>
            <td>
              <Subject of={alarm} />
            </td>
            <td>
              <time>{time(alarm.since, state.now)}</time>
              {alarm.until === null ? "" : ` until ${time(alarm.until, state.now)}`}
            </td>
            <td>{measured(alarm, state)}</td>
            <td>
              {alarm.raised ? `${alarm.raised} × ` : "never"}
              {alarm.last_raised === null ? "" : `last ${time(alarm.last_raised, state.now)}`}
            </td>
            <td>{[alarm.text, alarm.detail, alarm.note].filter(Boolean).join("; ")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The page of all alarms. */
export function Alarms({ state }: { state: State }) {
  return (
    <>
      <h2>Alarms</h2>
      {state.alarms.length ? (
        <AlarmTable alarms={state.alarms} state={state} />
      ) : state.status ? (
        <Empty>No alarm is configured (alarms: in the configuration).</Empty>
      ) : (
        <Empty>Asking sensorlogd …</Empty>
      )}
      <Acknowledging state={state} />
    </>
  );
}

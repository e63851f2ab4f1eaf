// Alarms: those that need attention, on the overview; all of them, on a page of their own.

import { isRaised, levelOfAlarm, tally } from "../state/alarms";
import type { Alarm, State } from "../state/model";
import { text } from "../state/numbers";
import { to } from "../state/route";
import { plural, time } from "../state/words";
import { Acknowledging } from "./acknowledging";
import { Empty, Name, Pill } from "./parts";

/** For the head. */
export function AlarmTally({ state }: { state: State }) {
  const found = tally(state.alarms);
  return found ? (
    <a class={`tally ${found.level}`} id="alarms" href={to("alarms")}>
      {found.words}
    </a>
  ) : null;
}

/** What an alarm is about: a series leads to its chart, a sensor to its page. */
function Subject({ of: one }: { of: Alarm }) {
  if (!one.series) return <span>the daemon</span>;
  const href = one.series.includes(".") ? to("chart", { series: [one.series] }) : to("sensor", { sensor: one.series });
  return (
    <a href={href}>
      <Name>{one.series}</Name>
    </a>
  );
}

/** With as many places as the channel has. */
function measured(one: Alarm, state: State): string {
  if (one.value === null) return "";
  const channel = state.sensors?.flatMap((sensor) => sensor.channels).find((found) => found.series === one.series);
  return `${text(one.value, channel?.decimals)} ${one.unit}`.trim();
}

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
        {raised.map((one) => (
          <li key={one.alarm + one.series} data-alarm={one.alarm} data-state={one.state}>
            <Pill level={levelOfAlarm(one.state)}>{one.state}</Pill> <b>{one.alarm}</b> <Subject of={one} /> {one.condition}
            {one.value === null ? "" : ` (${measured(one, state)})`}, since {time(one.since, state.now)}
            {one.text ? `; ${one.text}` : ""}
            {one.note ? `; note: ${one.note}` : ""}
          </li>
        ))}
      </ul>
    </section>
  );
}

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
        {alarms.map((one) => (
          <tr key={`${one.alarm} ${one.series}`} data-alarm={one.alarm} data-state={one.state}>
            <td>
              <Pill level={levelOfAlarm(one.state)}>{one.state}</Pill> {one.severity === "warning" ? "" : one.severity}
            </td>
            <td>
              <b>
                <Name>{one.alarm}</Name>
              </b>{" "}
              {one.condition}
            </td>
            <td>
              <Subject of={one} />
            </td>
            <td>
              <time>{time(one.since, state.now)}</time>
              {one.until === null ? "" : ` until ${time(one.until, state.now)}`}
            </td>
            <td>{measured(one, state)}</td>
            <td>
              {one.raised ? `${one.raised} × ` : "never"}
              {one.last_raised === null ? "" : `last ${time(one.last_raised, state.now)}`}
            </td>
            <td>{[one.text, one.detail, one.note].filter(Boolean).join("; ")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

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

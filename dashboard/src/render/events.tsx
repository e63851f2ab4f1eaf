// What happened, newest first; new events come by the stream.

import { levelOfEvent, listedEvents } from "../state/events";
import type { LogEvent, State } from "../state/model";
import { eventParameters } from "../state/parameters";
import { to } from "../state/route";
import { time, ZONE } from "../state/words";
import type { Act } from "./act";
import { Choice, Written } from "./parts/fields";
import { Breakable, Empty } from "./parts/texts";

/** Events as rows. */
export function EventTable({ events, state }: { events: readonly LogEvent[]; state: State }) {
  const { data, error } = state.events;
  if (!events.length && error) return null; // the head of the page says it
  if (!events.length) return <Empty>{data ? "Nothing happened." : "Asking sensorlogd …"}</Empty>;
  return (
    <table class="wide">
      <thead>
        <tr>
          {["Time", "Sensor", "What", "Detail"].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <tr key={event.id} data-kind={event.kind}>
            <td>
              <time>{time(event.time, state.now)}</time>
            </td>
            <td>{event.sensor ? <a href={to("sensor", { sensor: event.sensor })}>{event.sensor}</a> : ""}</td>
            <td>
              <b class={levelOfEvent(event.kind)}>
                <Breakable>{event.kind}</Breakable>
              </b>
            </td>
            <td>{event.detail}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The page of events, with a choice of sensor and kind. */
export function Events({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const turnTo = (before: string) => act.go((route) => ({ ...route, more: { ...route.more, before } }));
  const choose = (name: string, value: string) =>
    act.go((route) => ({ ...route, more: { ...route.more, before: "", [name]: value } }), true);
  const sensors = [...(state.sensors ?? []), ...state.former].map((sensor) => sensor.sensor);
  const { sensor, kind, before } = eventParameters(route);
  const earlier = state.events.data?.earlier;
  return (
    <>
      <h2>Events</h2>
      <div class="tools">
        <Choice
          label="Sensor"
          value={sensor}
          options={[["", "all, and the daemon"], ...[...new Set(sensors)].map((name) => [name, name] as const)]}
          onChange={(value) => choose("sensor", value)}
        />
        <label class="choice">
          <span>Kind</span>
          <Written
            type="search"
            placeholder="all; web_*, lost"
            value={kind}
            onWritten={(value) => choose("kind", value.trim())}
          />
        </label>
        <span class="unit">Times of {ZONE}</span>
      </div>
      <EventTable events={listedEvents(state)} state={state} />
      <p class="tools">
        {before ? (
          <button type="button" onClick={() => turnTo("")}>
            Newest
          </button>
        ) : null}
        {typeof earlier === "number" ? (
          <button type="button" onClick={() => turnTo(String(earlier))}>
            Earlier
          </button>
        ) : null}
      </p>
    </>
  );
}

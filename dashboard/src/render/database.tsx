// The page of the database: its size and growth, work in progress, and incidents.

import type { Daemon, Database } from "../load/types";
import { isOfDatabase, levelOfEvent } from "../state/events";
import type { State } from "../state/model";
import { factsOf } from "../state/pages/database";
import { measuresParts } from "../state/parameters";
import { to } from "../state/route";
import { size, time } from "../state/words";
import type { Act } from "./act";
import { Empty } from "./parts/texts";

/** The page itself. */
export function DatabasePage({ state, act }: { state: State; act: Act }) {
  if (!state.status) return <Empty>Asking sensorlogd …</Empty>;
  const known = state.database.data;
  const { findings = [] } = state.status.daemon;
  return (
    <>
      <h2>Database</h2>
      <dl class="facts wide">
        {factsOf(state.status, known, state.now).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {known?.parts ? <Parts parts={known.parts} free={known.free_bytes} /> : null}
      {known && !known.parts ? <Measure state={state} act={act} /> : null}
      <Incidents incidents={known?.incidents ?? null} busy={state.database.busy} now={state.now} />
      <Work daemon={state.status.daemon} />
      {findings.length ? (
        <>
          <h3>What should be mended</h3>
          <ul class="plain">
            {findings.map((finding) => (
              <li key={finding}>{finding}</li>
            ))}
          </ul>
        </>
      ) : null}
      <Happened state={state} />
    </>
  );
}

/** The button that asks what the file is full of: that takes long, so nobody asks for it by opening the page. */
function Measure({ state, act }: { state: State; act: Act }) {
  const asked = measuresParts(state.route);
  return (
    <p>
      <button
        type="button"
        disabled={state.database.busy || asked}
        onClick={() => act.go((route) => ({ ...route, more: { parts: "1" } }), true)}
      >
        {asked && !state.database.busy ? "It cannot be measured here" : "Measure what it is full of"}
      </button>{" "}
      <span class="unit">reads the whole file</span>
    </p>
  );
}

function Parts({ parts, free }: { parts: Record<string, number>; free: number }) {
  const all = [...Object.entries(parts), ["free", free] as const].sort((a, b) => b[1] - a[1]);
  const sum = all.reduce((total, [, bytes]) => total + bytes, 0) || 1;
  return (
    <>
      <h3>What the file is full of</h3>
      <table class="parts">
        <tbody>
          {all.map(([name, bytes]) => (
            <tr key={name} data-part={name}>
              <th scope="row">{name}</th>
              <td>{size(bytes)}</td>
              <td>
                <meter min={0} max={1} value={bytes / sum} aria-label={`${name}: share of the file`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

interface IncidentsProps {
  /** Null: not known. */
  incidents: Database["incidents"] | null;
  /** They are being asked for. */
  busy: boolean;
  now: number;
}

/** What was set aside as damaged. */
function Incidents({ incidents, busy, now }: IncidentsProps) {
  return (
    <>
      <h3>Incidents</h3>
      {incidents?.length ? (
        <ul class="plain">
          {incidents.map((incident) => (
            <li key={incident.name}>
              <time>{time(incident.time, now)}</time> <b class={incident.salvaged ? "" : "bad"}>{incident.name}</b>{" "}
              {incident.reason}; {size(incident.bytes)} set aside in damaged/{incident.name},{" "}
              {incident.salvaged ? "what can be read of it is back" : "not all of it is back"}
            </li>
          ))}
        </ul>
      ) : (
        <p class="unit">
          {incidents ? "None: nothing was ever set aside as damaged." : busy ? "Asking sensorlogd …" : "Not known."}
        </p>
      )}
    </>
  );
}

/** Long work that is not over, and parts of the daemon that have not started. */
function Work({ daemon }: { daemon: Daemon }) {
  const { work = [] } = daemon;
  const parts = Object.entries(daemon.parts ?? {});
  return (
    <>
      <h3>Work in progress</h3>
      {work.length || parts.length ? (
        <ul class="plain">
          {work.map((job) => (
            <li key={job.id}>
              <b>{job.kind}</b> {job.total ? <progress value={job.done} max={job.total} aria-label={job.kind} /> : null}{" "}
              {job.outcome}
            </li>
          ))}
          {parts.map(([name, value]) => (
            <li key={name}>
              <b>{name}</b> {value}
            </li>
          ))}
        </ul>
      ) : (
        <p class="unit">None.</p>
      )}
    </>
  );
}

/** The events of the database that the stream has brought. */
function Happened({ state }: { state: State }) {
  const events = state.recent.filter((event) => isOfDatabase(event.kind));
  return (
    <>
      <h3>
        Since this page was opened{" "}
        <a class="button" href={to("events")}>
          all events
        </a>
      </h3>
      <ul class="plain">
        {events.map((event) => (
          <li key={event.id}>
            <time>{time(event.time, state.now)}</time> <b class={levelOfEvent(event.kind)}>{event.kind}</b> {event.detail}
          </li>
        ))}
        {events.length ? null : <li class="unit">Nothing happened to the database.</li>}
      </ul>
    </>
  );
}

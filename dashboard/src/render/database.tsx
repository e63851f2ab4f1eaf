// The page of the database: its size and growth, work in progress, and incidents.

import type { Database, Status } from "../load/types";
import { isOfDatabase, levelOfEvent } from "../state/events";
import type { State } from "../state/model";
import { to } from "../state/route";
import { duration, plural, size, time } from "../state/words";
import type { Act } from "./act";
import { Empty } from "./parts/texts";

/** How it grows, and how far behind its roll-ups are. */
function grown(log: Database, now: number): [string, string][] {
  const { readings_per_day: readings, bytes_per_day: bytes, rolled_up_until: edge, last } = log;
  const behind = edge === null || last === null ? 0 : last - edge;
  return [
    ["Readings", log.first === null ? "none" : `from ${time(log.first, 0)} to ${time(log.last ?? now, now)}`],
    [
      "Comes a day",
      readings === null || bytes === null
        ? "not known before an hour is rolled up"
        : `${plural(Math.round(readings), "reading")}, about ${size(bytes)}${log.expires ? "; old ones expire" : ""}`,
    ],
    ["Free on the disk", `${size(log.disk_free_bytes)}, and ${size(log.free_bytes)} in the file`],
    [
      "Full by",
      log.full === null
        ? log.expires
          ? "not at all, if as much expires as comes"
          : readings === null
            ? ""
            : "not within a century"
        : `${time(log.full, 0).slice(0, 10)}, as it grows now (in ${duration(Math.max(log.full - now, 0))})`,
    ],
    [
      "Rolled up until",
      `${edge === null ? "not yet" : `${time(edge, now)}${behind > 1 ? `, ${duration(behind)} behind the newest reading` : ""}`}${log.hours_to_roll_up ? `; ${plural(log.hours_to_roll_up, "hour")} of series to be done anew` : ""}`,
    ],
  ];
}

/** What the daemon says of the database and of itself. */
function daemonRows({ database, daemon }: Status, now: number): [string, string][] {
  const { started_us: started = 0, committed = 0 } = daemon;
  const up = now - started / 1e6;
  const rate = up > 60 ? committed / up : 0;
  return [
    ["File", database.path],
    ["Size", `${size(database.bytes)}, and ${size(database.wal_bytes)} of write-ahead log`],
    [
      "Stored since the start",
      `${committed.toLocaleString("en").replaceAll(",", " ")} readings in ${duration(Math.max(up, 0))}${rate ? `, ${rate.toPrecision(3)} a second` : ""}`,
    ],
    [
      "Last commit",
      `${daemon.last_commit_us ? time(daemon.last_commit_us / 1e6, now) : "never"}, took ${(daemon.last_commit_ms ?? 0).toFixed(1)} ms`,
    ],
    ["Waiting to be stored", `${daemon.inbox_depth ?? 0} of ${daemon.inbox_limit ?? 0} readings`],
    ["Roll-ups", `${daemon.rollup_state ?? "unknown"}${daemon.rollup_error ? `: ${daemon.rollup_error}` : ""}`],
    ["Late, repeated, shifted", `${daemon.late ?? 0}, ${daemon.repeated ?? 0}, ${daemon.shifted ?? 0} readings`],
    ["Web pages", `${daemon.web_state ?? ""}, restarted ${plural(daemon.web_restarts ?? 0, "time")}`],
    ["Clock", daemon.clock?.sentence ?? ""],
    ["Version", daemon.version ?? ""],
  ];
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

/** The page itself. */
export function DatabasePage({ state, act }: { state: State; act: Act }) {
  if (!state.status) return <Empty>Asking sensorlogd …</Empty>;
  const { daemon } = state.status;
  const { work = [], findings = [] } = daemon;
  const parts = Object.entries(daemon.parts ?? {});
  const known = state.database.data;
  const events = state.recent.filter((event) => isOfDatabase(event.kind));
  const rows = daemonRows(state.status, state.now);
  if (known) rows.splice(2, 0, ...grown(known, state.now));
  return (
    <>
      <h2>Database</h2>
      <dl class="facts wide">
        {rows
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {known?.parts ? <Parts parts={known.parts} free={known.free_bytes} /> : null}
      {known && !known.parts ? (
        <p>
          <button
            type="button"
            disabled={state.database.busy || state.route.more["parts"] === "1"}
            onClick={() => act.go({ ...state.route, more: { parts: "1" } }, true)}
          >
            {state.route.more["parts"] === "1" && !state.database.busy
              ? "It cannot be measured here"
              : "Measure what it is full of"}
          </button>{" "}
          <span class="unit">reads the whole file</span>
        </p>
      ) : null}
      <h3>Incidents</h3>
      {known?.incidents.length ? (
        <ul class="plain">
          {known.incidents.map((incident) => (
            <li key={incident.name}>
              <time>{time(incident.time, state.now)}</time> <b class={incident.salvaged ? "" : "bad"}>{incident.name}</b>{" "}
              {incident.reason}; {size(incident.bytes)} set aside in damaged/{incident.name},{" "}
              {incident.salvaged ? "what can be read of it is back" : "not all of it is back"}
            </li>
          ))}
        </ul>
      ) : (
        <p class="unit">{known ? "None: nothing was ever set aside as damaged." : "Asking sensorlogd …"}</p>
      )}
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

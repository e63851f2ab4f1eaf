// The page of the database: its size and growth, work in progress, and incidents.

import type { Database } from "../load/types";
import type { State } from "../state/model";
import { to } from "../state/route";
import { duration, plural, size, time } from "../state/words";
import type { Act } from "./act";
import { levelOf } from "./events";
import { Empty } from "./parts/texts";

type Facts = Record<string, unknown>;

const number = (facts: Facts, name: string): number => Number(facts[name] ?? 0);

/** How it grows, and how far behind its roll-ups are. */
function grown(figures: Database, now: number): [string, string][] {
  const { readings_per_day: readings, bytes_per_day: bytes, rolled_up_until: edge, last } = figures;
  const behind = edge === null || last === null ? 0 : last - edge;
  return [
    ["Readings", figures.first === null ? "none" : `from ${time(figures.first, 0)} to ${time(figures.last ?? now, now)}`],
    [
      "Comes a day",
      readings === null || bytes === null
        ? "not known before an hour is rolled up"
        : `${plural(Math.round(readings), "reading")}, about ${size(bytes)}${figures.expires ? "; old ones expire" : ""}`,
    ],
    ["Free on the disk", `${size(figures.disk_free_bytes)}, and ${size(figures.free_bytes)} in the file`],
    [
      "Full by",
      figures.full === null
        ? figures.expires
          ? "not at all, if as much expires as comes"
          : readings === null
            ? ""
            : "not within a century"
        : `${time(figures.full, 0).slice(0, 10)}, as it grows now (in ${duration(Math.max(figures.full - now, 0))})`,
    ],
    [
      "Rolled up until",
      `${edge === null ? "not yet" : `${time(edge, now)}${behind > 1 ? `, ${duration(behind)} behind the newest reading` : ""}`}${figures.hours_to_roll_up ? `; ${plural(figures.hours_to_roll_up, "hour")} of series to be done anew` : ""}`,
    ],
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
  const { database } = state.status;
  const facts = state.status.daemon as Facts;
  const up = (state.now * 1e6 - number(facts, "started_us")) / 1e6;
  const rate = up > 60 ? number(facts, "committed") / up : 0;
  const work = Array.isArray(facts["work"]) ? (facts["work"] as Facts[]) : [];
  const parts = Object.entries((facts["parts"] ?? {}) as Facts);
  const findings = Array.isArray(facts["findings"]) ? (facts["findings"] as string[]) : [];
  const figures = state.database.data;
  const events = state.recent.filter((event) => /disk|database|corrupt|salvage|incident|web_|rollup|clock/.test(event.kind));
  const rows: [string, string][] = [
    ["File", database.path],
    ["Size", `${size(database.bytes)}, and ${size(database.wal_bytes)} of write-ahead log`],
    [
      "Stored since the start",
      `${number(facts, "committed").toLocaleString("en").replaceAll(",", " ")} readings in ${duration(Math.max(up, 0))}${rate ? `, ${rate.toPrecision(3)} a second` : ""}`,
    ],
    [
      "Last commit",
      `${number(facts, "last_commit_us") ? time(number(facts, "last_commit_us") / 1e6, state.now) : "never"}, took ${number(facts, "last_commit_ms").toFixed(1)} ms`,
    ],
    ["Waiting to be stored", `${number(facts, "inbox_depth")} of ${number(facts, "inbox_limit")} readings`],
    [
      "Roll-ups",
      `${String(facts["rollup_state"] ?? "unknown")}${facts["rollup_error"] ? `: ${String(facts["rollup_error"])}` : ""}`,
    ],
    ["Late, repeated, shifted", `${number(facts, "late")}, ${number(facts, "repeated")}, ${number(facts, "shifted")} readings`],
    ["Web pages", `${String(facts["web_state"] ?? "")}, restarted ${plural(number(facts, "web_restarts"), "time")}`],
    ["Clock", String((facts["clock"] as Facts | undefined)?.["sentence"] ?? "")],
    ["Version", String(facts["version"] ?? "")],
  ];
  if (figures) rows.splice(2, 0, ...grown(figures, state.now));
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
      {figures?.parts ? <Parts parts={figures.parts} free={figures.free_bytes} /> : null}
      {figures && !figures.parts ? (
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
      {figures?.incidents.length ? (
        <ul class="plain">
          {figures.incidents.map((incident) => (
            <li key={incident.name}>
              <time>{time(incident.time, state.now)}</time> <b class={incident.salvaged ? "" : "bad"}>{incident.name}</b>{" "}
              {incident.reason}; {size(incident.bytes)} set aside in damaged/{incident.name},{" "}
              {incident.salvaged ? "what can be read of it is back" : "not all of it is back"}
            </li>
          ))}
        </ul>
      ) : (
        <p class="unit">{figures ? "None: nothing was ever set aside as damaged." : "Asking sensorlogd …"}</p>
      )}
      <h3>Work in progress</h3>
      {work.length || parts.length ? (
        <ul class="plain">
          {work.map((job) => (
            <li key={String(job["id"])}>
              <b>{String(job["kind"])}</b> {String(job["what"] ?? job["request"] ?? "")}{" "}
              {number(job, "total") ? (
                <progress value={number(job, "done")} max={number(job, "total")} aria-label={String(job["kind"])} />
              ) : null}{" "}
              {String(job["outcome"] ?? "")}
            </li>
          ))}
          {parts.map(([name, value]) => (
            <li key={name}>
              <b>{name}</b> {typeof value === "string" ? value : JSON.stringify(value)}
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
            <time>{time(event.time, state.now)}</time> <b class={levelOf(event.kind)}>{event.kind}</b> {event.detail}
          </li>
        ))}
        {events.length ? null : <li class="unit">Nothing happened to the database.</li>}
      </ul>
    </>
  );
}

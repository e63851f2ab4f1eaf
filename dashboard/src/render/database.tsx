// The database: how large, how it grows, what it is doing, what has befallen it.

import type { State } from "../state/model";
import { to } from "../state/route";
import { duration, plural, size, time } from "../state/words";
import { levelOf } from "./events";
import { Empty } from "./parts";

type Facts = Record<string, unknown>;

const number = (facts: Facts, name: string): number => Number(facts[name] ?? 0);

export function Database({ state }: { state: State }) {
  if (!state.status) return <Empty>Asking sensorlogd …</Empty>;
  const { database } = state.status;
  const facts = state.status.daemon as Facts;
  const up = (state.now * 1e6 - number(facts, "started_us")) / 1e6;
  const rate = up > 60 ? number(facts, "committed") / up : 0;
  const work = Array.isArray(facts["work"]) ? (facts["work"] as Facts[]) : [];
  const parts = Object.entries((facts["parts"] ?? {}) as Facts);
  const findings = Array.isArray(facts["findings"]) ? (facts["findings"] as string[]) : [];
  const incidents = number(facts, "incidents");
  const told = state.recent.filter((one) => /disk|database|corrupt|salvage|incident|web_|rollup|clock/.test(one.kind));
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
    ["Incidents", incidents ? `${plural(incidents, "incident")}: see the folder damaged/ beside the database` : "none"],
    ["Web pages", `${String(facts["web_state"] ?? "")}, restarted ${number(facts, "web_restarts")} times`],
    ["Clock", String((facts["clock"] as Facts | undefined)?.["sentence"] ?? "")],
    ["Version", String(facts["version"] ?? "")],
  ];
  for (const [name, words] of [
    ["free_bytes", "Free on the disk"],
    ["full_us", "Full by, as it grows"],
    ["rollup_lag_us", "Roll-ups are behind by"],
  ] as const)
    if (facts[name])
      rows.push([
        words,
        name === "full_us"
          ? time(number(facts, name) / 1e6, 0)
          : name === "free_bytes"
            ? size(number(facts, name))
            : duration(number(facts, name) / 1e6),
      ]);
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
      <h3>Work in progress</h3>
      {work.length || parts.length ? (
        <ul class="plain">
          {work.map((one) => (
            <li key={String(one["id"])}>
              <b>{String(one["kind"])}</b> {String(one["what"] ?? one["request"] ?? "")}{" "}
              {number(one, "total") ? (
                <progress value={number(one, "done")} max={number(one, "total")} aria-label={String(one["kind"])} />
              ) : null}{" "}
              {String(one["outcome"] ?? "")}
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
          <h3>What the daemon would have mended</h3>
          <ul class="plain">
            {findings.map((one) => (
              <li key={one}>{one}</li>
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
        {told.map((one) => (
          <li key={one.id}>
            <time>{time(one.time, state.now)}</time> <b class={levelOf(one.kind)}>{one.kind}</b> {one.detail}
          </li>
        ))}
        {told.length ? null : <li class="unit">Nothing happened to the database.</li>}
      </ul>
    </>
  );
}

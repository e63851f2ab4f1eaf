// All sensors: trouble first, then groups. Cards while they are few, rows when they are many.

import { counts, groupings, groupOf, levelOf, ordered, type SensorView } from "../state/health";
import type { State } from "../state/model";
import { to } from "../state/route";
import { matches } from "../state/series";
import { plural } from "../state/words";
import type { Act } from "./act";
import { Raised } from "./alarms";
import { Choice } from "./parts/fields";
import { Spark } from "./parts/spark";
import { Breakable, Empty, Pill } from "./parts/texts";
import { Age, InAlarm, Rise, Value } from "./parts/values";

const MANY = 12;
const SHOWN = 3; // channels of a row

/** The first page: all sensors. */
export function Overview({ state, act }: { state: State; act: Act }) {
  if (!state.sensors) return <Empty>Asking sensorlogd …</Empty>;
  const { route } = state;
  const search = (route.more["find"] ?? "").trim();
  const keys = groupings(state.sensors);
  const by = route.more["by"] ?? (keys[0] || "");
  const rows = (route.more["show"] ?? (state.sensors.length > MANY ? "rows" : "cards")) === "rows";
  const views = ordered(state);
  const matching = views.filter((view) => !search || meant(view, search));
  const trouble = matching.filter((view) => view.level === "bad" || view.level === "warn");
  const rest = matching.filter((view) => !trouble.includes(view));
  const choose = (name: string, value: string) => act.go({ ...route, more: { ...route.more, [name]: value } }, true);
  const groups = new Map<string, SensorView[]>();
  for (const view of rest) {
    const name = by && by !== "none" ? groupOf(view.sensor, by) : "";
    groups.set(name, [...(groups.get(name) ?? []), view]);
  }
  const narrow = window.innerWidth < 600;
  const list = (shown: SensorView[]) =>
    rows ? <Rows views={shown} state={state} act={act} /> : <Cards views={shown} state={state} act={act} />;
  return (
    <>
      <h2 class="unseen">Sensors</h2>
      {route.kiosk || views.length < 4 ? null : (
        <div class="tools">
          <input
            type="search"
            placeholder="Find: name, channel, unit, *.glob"
            aria-label="Find a sensor"
            autocomplete="off"
            value={route.more["find"] ?? ""}
            onInput={(event) => choose("find", event.currentTarget.value)}
          />
          <Choice
            label="Group by"
            value={by || "none"}
            options={[["none", "nothing"], ...keys.map((key) => [key, key] as const), ["name", "first word"]]}
            onChange={(value) => choose("by", value)}
          />
          <Choice
            label="Show"
            value={rows ? "rows" : "cards"}
            options={[
              ["cards", "cards"],
              ["rows", "rows"],
            ]}
            onChange={(value) => choose("show", value)}
          />
        </div>
      )}
      <Raised state={state} />
      {trouble.length ? (
        <section class="group trouble" aria-label="Needs a look">
          <h3>
            {plural(trouble.length, "sensor")} {trouble.length === 1 ? "needs" : "need"} a look
          </h3>
          {list(trouble)}
        </section>
      ) : null}
      {[...groups]
        .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
        .map(([name, shown]) =>
          name || groups.size > 1 || trouble.length ? (
            <details key={name} class="group" open={!(narrow && rows && views.length > 20 && !search)}>
              <summary>
                <h3>
                  {name || "All others"}{" "}
                  <span class="unit">
                    {plural(shown.length, "sensor")}, {shown.every((view) => view.level === "good") ? "all ok" : summary(shown)}
                  </span>
                </h3>
              </summary>
              {list(shown)}
            </details>
          ) : (
            <section key={name}>{list(shown)}</section>
          ),
        )}
      {views.length === 0 ? (
        <Empty>
          No sensor is configured. What was imported, or logged by former sensors, is under <a href={to("chart")}>Charts</a>.
        </Empty>
      ) : null}
      {views.length && !matching.length ? <Empty>No sensor matches “{search}”.</Empty> : null}
    </>
  );
}

function summary(views: readonly SensorView[]): string {
  const byHealth = new Map<string, number>();
  for (const view of views) byHealth.set(view.health, (byHealth.get(view.health) ?? 0) + 1);
  return [...byHealth].map(([health, count]) => `${count} ${health}`).join(", ");
}

function meant(view: SensorView, search: string): boolean {
  const words = [
    view.sensor.sensor,
    view.health,
    view.says,
    ...view.sensor.channels.flatMap((channel) => [channel.unit, ...Object.values(channel.labels)]),
  ];
  return (
    view.sensor.channels.some((channel) => matches(channel.series, search, true)) ||
    words.some((word) => word.toLowerCase().includes(search.toLowerCase()))
  );
}

const page = (view: SensorView): string => to("sensor", { sensor: view.sensor.sensor });

function Cards({ views, state, act }: { views: SensorView[]; state: State; act: Act }) {
  return (
    <div class="cards">
      {views.map((view) => (
        <section
          key={view.sensor.sensor}
          class={`card ${view.level}`}
          data-sensor={view.sensor.sensor}
          data-state={view.health}
          aria-label={view.sensor.sensor}
        >
          <h4>
            <a href={page(view)}>
              <Breakable>{view.sensor.sensor}</Breakable>
            </a>
            <Pill level={levelOf(view.health)}>{view.health}</Pill>
          </h4>
          {view.says ? <p class={`error ${view.level}`}>{view.says}</p> : null}
          <ul>
            {view.sensor.channels.map((channel) => (
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

function Rows({ views, state, act }: { views: SensorView[]; state: State; act: Act }) {
  return (
    <ul class="rows">
      {views.map((view) => {
        const [first] = view.sensor.channels;
        return (
          <li key={view.sensor.sensor} class={view.level} data-sensor={view.sensor.sensor} data-state={view.health}>
            <a href={page(view)}>
              <span class="who">
                <span class={`dot ${view.level}`} />
                <b>
                  <Breakable>{view.sensor.sensor}</Breakable>
                </b>
                {view.health === "ok" ? (
                  <span class="unseen state">ok</span>
                ) : (
                  <span class={`state ${levelOf(view.health)}`}>{view.health}</span>
                )}
              </span>
              <span class="what">
                {view.sensor.channels.slice(0, SHOWN).map((channel) => (
                  <span key={channel.series} class="reading" data-series={channel.series}>
                    <span class="channel">{channel.channel} </span>
                    <Value state={state} channel={channel} />
                    <InAlarm state={state} channel={channel} />
                  </span>
                ))}
                {view.sensor.channels.length > SHOWN ? <span class="channel">+{view.sensor.channels.length - SHOWN}</span> : null}
              </span>
              {first ? (
                <Spark series={first.series} heartbeat={first.heartbeat_s} curve={state.curves.get(first.series)} act={act} />
              ) : (
                <span />
              )}
              {first ? <Age state={state} channel={first} /> : <span class="age">never</span>}
              {view.says ? <span class={`error ${view.level}`}>{view.says}</span> : null}
            </a>
          </li>
        );
      })}
    </ul>
  );
}

/** For the head: how many are how. */
export function Tally({ state }: { state: State }) {
  if (!state.sensors?.length) return null;
  const levels = counts(ordered(state));
  const wrong = levels.bad + levels.warn;
  return (
    <a class={`tally ${levels.bad ? "bad" : wrong ? "warn" : ""}`} href={to("overview")}>
      {wrong
        ? `${wrong} of ${plural(state.sensors.length, "sensor")} ${wrong === 1 ? "needs" : "need"} a look`
        : `${plural(state.sensors.length, "sensor")}, all ok`}
    </a>
  );
}

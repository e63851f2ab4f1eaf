// The frame of every page: the head, the links to all pages, and the page that is shown.

import { verdict } from "../state/health";
import { errorsOf, type State } from "../state/model";
import { type PageName, to } from "../state/route";
import { size } from "../state/words";
import type { Act } from "./act";
import { Alarms, AlarmTally } from "./alarms";
import { ChartPage } from "./chart/page";
import { DatabasePage } from "./database";
import { Events } from "./events";
import { Overview } from "./overview/page";
import { Tally } from "./overview/tally";
import { Rosette } from "./rose/page";
import { SavedViews } from "./savedviews";
import { SensorPage } from "./sensor";
import { Use } from "./use/page";
import { Year } from "./year/page";

/** A page, its name in the head, and the pages during which that link is the current one. */
const LINKS: readonly (readonly [PageName, string, readonly PageName[]])[] = [
  ["overview", "Sensors", ["overview", "sensor"]],
  ["chart", "Charts", ["chart", "use", "year", "rose"]],
  ["events", "Events", ["events"]],
  ["alarms", "Alarms", ["alarms"]],
  ["database", "Database", ["database"]],
];
const CHARTS: readonly (readonly [PageName, string])[] = [
  ["chart", "Lines"],
  ["use", "Consumption"],
  ["year", "Year"],
  ["rose", "Wind"],
];

/** Move the focus to the content. Not a link to it: what stands behind # names the page. */
function toContent(): void {
  document.getElementById("main")?.focus();
}

/** All that is seen: the head, the links to other pages, and the page of the route. */
export function Page({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const errors = errorsOf(state);
  const charts = CHARTS.some(([name]) => name === route.page);
  return (
    <>
      <button type="button" class="skip" onClick={toContent}>
        Skip to the content
      </button>
      <header class={route.kiosk ? "kiosk" : ""}>
        <h1>
          <a href={to("overview")}>sensorlogd</a>
        </h1>
        {route.kiosk ? null : (
          <nav aria-label="Pages">
            {LINKS.filter(([name]) => name !== "alarms" || state.alarms.length || route.page === name).map(
              ([name, words, own]) => (
                <a key={name} href={to(name)} data-page={name} aria-current={own.includes(route.page) ? "page" : undefined}>
                  {words}
                </a>
              ),
            )}
          </nav>
        )}
        <Head state={state} />
      </header>
      {errors.length ? (
        <p id="trouble" role="alert">
          {errors.join(" ")}
        </p>
      ) : null}
      <main id="main" tabIndex={-1} class={state.stream.state === "lost" ? "old" : ""}>
        {charts && !route.kiosk ? (
          <nav class="sub" aria-label="Kinds of charts">
            {CHARTS.map(([name, words]) => (
              <a
                key={name}
                href={to(name, name === "chart" || name === "year" ? { series: route.series } : {})}
                aria-current={name === route.page ? "page" : undefined}
              >
                {words}
              </a>
            ))}
          </nav>
        ) : null}
        {charts && !route.kiosk ? <SavedViews state={state} /> : null}
        <PageOfRoute state={state} act={act} />
      </main>
    </>
  );
}

function PageOfRoute({ state, act }: { state: State; act: Act }) {
  switch (state.route.page) {
    case "sensor":
      return <SensorPage state={state} act={act} />;
    case "chart":
      return <ChartPage state={state} act={act} />;
    case "events":
      return <Events state={state} act={act} />;
    case "alarms":
      return <Alarms state={state} />;
    case "use":
      return <Use state={state} act={act} />;
    case "year":
      return <Year state={state} act={act} />;
    case "rose":
      return <Rosette state={state} act={act} />;
    case "database":
      return <DatabasePage state={state} act={act} />;
    default:
      return <Overview state={state} act={act} />;
  }
}

function Head({ state }: { state: State }) {
  const health = verdict(state);
  const sound = health.level === "good" && state.status;
  return (
    <div id="health" role="status" data-level={health.level}>
      <b class={health.level}>{health.word}</b>
      {health.says ? <span class={health.level === "warn" ? "warn" : "bad"}>{health.says}</span> : null}
      <AlarmTally state={state} />
      <Tally state={state} />
      {sound && state.status ? (
        <>
          <a class="plainly" href={to("database")} title={state.status.database.path}>
            {size(state.status.database.bytes + state.status.database.wal_bytes)}
          </a>
          <span title="readings waiting to be stored">{`queue ${state.status.daemon.inbox_depth ?? 0}`}</span>
        </>
      ) : null}
    </div>
  );
}

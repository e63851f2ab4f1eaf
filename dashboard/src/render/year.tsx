// A year of days: one square a day, coloured by its mean, or by how much a counter rose.

import { everyChannel, type State } from "../state/model";
import { computed } from "../state/numbers";
import { to } from "../state/route";
import { share } from "../state/scale";
import { seriesOf } from "../state/series";
import { day, MONTHS } from "../state/words";
import type { Act } from "./act";
import { useInstead } from "./instead";
import { Choice } from "./parts/fields";
import { Empty } from "./parts/texts";

const SIZE = 13;
const DAYS = ["Mon", "", "Wed", "", "Fri", "", "Sun"];
const SHADES = 8;

/** The page of a year. */
export function Year({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const channels = everyChannel(state).filter((channel) => channel.kind === "gauge" || channel.kind === "counter");
  const year = Number(route.more["year"]) || new Date(state.now * 1000).getFullYear();
  const choose = (more: Record<string, string>, series = route.series.slice(0, 1)) =>
    act.go({ ...route, series, more: { ...route.more, ...more } });
  const [only] = channels;
  const single = route.series.length !== 1 && only ? { ...route, series: [route.series[0] ?? only.series] } : null;
  if (useInstead(act, single)) return null;
  const buckets = state.buckets.data?.[0];
  const column = buckets?.kind === "counter" ? buckets.increase : buckets?.mean;
  const values = new Map((buckets?.time ?? []).map((time, row) => [day(time + 3600), column?.[row] ?? null]));
  const known = [...values.values()].filter((value): value is number => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const first = new Date(year, 0, 1);
  const shift = (first.getDay() + 6) % 7;
  const days = Math.round((new Date(year + 1, 0, 1).getTime() - first.getTime()) / 86400000);
  const places = (index: number): [number, number] => [Math.floor((index + shift) / 7), (index + shift) % 7];
  return (
    <>
      <h2>A year of days</h2>
      <div class="tools">
        <Choice
          label="Series"
          value={route.series[0] ?? ""}
          options={channels.map((channel) => [channel.series, channel.series] as const)}
          onChange={(value) => choose({}, [value])}
        />
        <span class="together">
          <button type="button" aria-label="The year before" onClick={() => choose({ year: String(year - 1) })}>
            ◀
          </button>
          <button type="button" aria-label="The year after" onClick={() => choose({ year: String(year + 1) })}>
            ▶
          </button>
        </span>
        <b>{year}</b>
      </div>
      {!buckets || !known.length ? (
        <Empty>{state.buckets.busy ? "Asking sensorlogd …" : "There are no readings in this year."}</Empty>
      ) : (
        <section class="panel">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
          <section class="sideways" aria-label="The year" tabIndex={0}>
            {/* biome-ignore lint/a11y/useSemanticElements: a picture is no fieldset */}
            <svg
              class="year"
              viewBox={`0 0 ${54 * SIZE + 32} ${7 * SIZE + 18}`}
              role="group"
              aria-label={`${seriesOf(buckets)} in ${year}: from ${computed(low, 1)} to ${computed(high, 1)} ${buckets.unit} a day`}
            >
              {DAYS.map((name, row) =>
                name ? (
                  <text key={name} x={0} y={18 + row * SIZE + 10}>
                    {name}
                  </text>
                ) : null,
              )}
              {MONTHS.map((name, month) => (
                <text
                  key={name}
                  x={32 + places(Math.round((new Date(year, month, 1).getTime() - first.getTime()) / 86400000))[0] * SIZE}
                  y={11}
                >
                  {name}
                </text>
              ))}
              {Array.from({ length: days }, (_, index) => {
                const name = day(new Date(year, 0, index + 1, 12).getTime() / 1000);
                const value = values.get(name);
                const [week, weekday] = places(index);
                const begin = new Date(year, 0, index + 1).getTime() / 1000;
                const shade =
                  typeof value === "number" ? ` shade${Math.min(Math.floor(share(value, low, high) * SHADES), SHADES - 1)}` : "";
                const square = (
                  <rect
                    x={32 + week * SIZE}
                    y={18 + weekday * SIZE}
                    width={SIZE - 2}
                    height={SIZE - 2}
                    rx={2}
                    class={`day${shade}`}
                  >
                    <title>{`${name}: ${computed(value, 2)} ${buckets.unit}`}</title>
                  </rect>
                );
                return typeof value === "number" ? (
                  <a
                    key={name}
                    href={to("chart", { series: route.series, range: 86400, until: begin + 86400 })}
                    tabIndex={-1}
                    aria-label={`${name}: ${computed(value, 2)} ${buckets.unit}`}
                  >
                    {square}
                  </a>
                ) : (
                  <g key={name}>{square}</g>
                );
              })}
            </svg>
          </section>
          <p class="shades">
            {computed(low, 1)}
            {Array.from({ length: SHADES }, (_, index) => (
              <span key={index} class={`shade${index}`} />
            ))}
            {computed(high, 1)} {buckets.unit}, {buckets.kind === "counter" ? "rise" : "mean"} of the day. A square leads to its
            day.
          </p>
        </section>
      )}
    </>
  );
}

// A year of days: one square a day, coloured by its mean, or by how much a counter rose.

import { everyChannel, type State } from "../../state/model";
import { valuesOfDays } from "../../state/pages/year";
import { yearOf } from "../../state/parameters";
import type { Act } from "../act";
import { useInstead } from "../instead";
import { Choice } from "../parts/fields";
import { Empty } from "../parts/texts";
import { Squares } from "./squares";

/** The page of a year. */
export function Year({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const channels = everyChannel(state).filter((channel) => channel.kind === "gauge" || channel.kind === "counter");
  const year = yearOf(route, state.now);
  const pick = (name: string) => act.go((route) => ({ ...route, series: [name] }));
  const later = (years: number) =>
    act.go((route, now) => ({ ...route, more: { ...route.more, year: String(yearOf(route, now) + years) } }));
  const [only] = channels;
  const single = route.series.length !== 1 && only ? { ...route, series: [route.series[0] ?? only.series] } : null;
  if (useInstead(act, single)) return null;
  const buckets = state.buckets.data?.[0];
  const days = buckets ? valuesOfDays(buckets) : new Map<string, number>();
  return (
    <>
      <h2>A year of days</h2>
      <div class="tools">
        <Choice
          label="Series"
          value={route.series[0] ?? ""}
          options={channels.map((channel) => [channel.series, channel.series] as const)}
          onChange={(value) => pick(value)}
        />
        <span class="together">
          <button type="button" aria-label="The year before" onClick={() => later(-1)}>
            ◀
          </button>
          <button type="button" aria-label="The year after" onClick={() => later(1)}>
            ▶
          </button>
        </span>
        <b>{year}</b>
      </div>
      {!buckets || !days.size ? (
        <Empty>{state.buckets.busy ? "Asking sensorlogd …" : "There are no readings in this year."}</Empty>
      ) : (
        <Squares buckets={buckets} days={days} year={year} series={route.series} />
      )}
    </>
  );
}

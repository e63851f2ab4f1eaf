// A wind rose: how often it came from where, and how fast.

import { everyChannel, type State } from "../../state/model";
import { rose, speedBeside } from "../../state/pages/rose";
import { PRESETS, type Route } from "../../state/route";
import { seriesOf } from "../../state/series";
import type { Act } from "../act";
import { useInstead } from "../instead";
import { Choice } from "../parts/fields";
import { Empty } from "../parts/texts";
import { Petals } from "./petals";

/** Thirty days: what a rose shows if nothing else was chosen. */
const MONTH_S = 2_592_000;

/** The page of the wind rose. */
export function Rosette({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const channels = everyChannel(state);
  const angles = channels.filter((channel) => channel.kind === "angle");
  const [speed = "", direction = ""] = route.series;
  const choose = (more: Partial<Route>) => act.go((route) => ({ ...route, ...more }));
  const pick = (at: 0 | 1, name: string) =>
    act.go((route) => ({ ...route, series: at === 0 ? [name, route.series[1] ?? ""] : [route.series[0] ?? "", name] }));
  const [first] = angles;
  const beside = route.series.length !== 2 && first ? speedBeside(first.series, channels) : undefined;
  const pair = first && beside ? { ...route, series: [beside.series, first.series], range: MONTH_S } : null;
  if (useInstead(act, pair)) return null;
  const find = (name: string) => state.buckets.data?.find((buckets) => seriesOf(buckets) === name);
  const [speeds, directions] = [find(speed), find(direction)];
  const gauges = channels.filter((channel) => channel.kind === "gauge");
  return (
    <>
      <h2>Wind rose</h2>
      {angles.length ? (
        <div class="tools">
          <Choice
            label="Direction"
            value={direction}
            options={angles.map((channel) => [channel.series, channel.series] as const)}
            onChange={(value) => pick(1, value)}
          />
          <Choice
            label="Speed"
            value={speed}
            options={gauges.map((channel) => [channel.series, channel.series] as const)}
            onChange={(value) => pick(0, value)}
          />
          <Choice
            label="Of the last"
            value={String(route.range)}
            options={PRESETS.slice(1).map(([name, range]) => [String(range), name] as const)}
            onChange={(value) => choose({ range: Number(value), until: null })}
          />
        </div>
      ) : null}
      {!angles.length ? <Empty>There is no direction in this log (kind: angle).</Empty> : null}
      {speeds && directions && directions.kind !== "angle" ? (
        <Empty>{`${direction} is no direction (kind: angle).`}</Empty>
      ) : speeds && directions ? (
        <Petals shown={rose(speeds, directions)} unit={speeds.unit} />
      ) : state.buckets.busy ? (
        <Empty>Asking sensorlogd …</Empty>
      ) : null}
    </>
  );
}

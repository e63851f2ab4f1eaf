// A wind rose: how often it came from where, and how fast.

import { everyChannel, type State } from "../state/model";
import { type Rose, rose, SECTORS } from "../state/rose";
import { PRESETS } from "../state/route";
import { sensorOf, seriesOf } from "../state/series";
import { plural } from "../state/words";
import type { Act } from "./act";
import { useInstead } from "./instead";
import { Choice } from "./parts/fields";
import { Empty } from "./parts/texts";

const [SIZE, MIDDLE, REACH] = [420, 210, 170];

/** Thirty days, in seconds: what a rose shows if nothing else was chosen. */
const MONTH = 2_592_000;

/** The page of the wind rose. */
export function Rosette({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const channels = everyChannel(state);
  const angles = channels.filter((channel) => channel.kind === "angle");
  const [speed = "", direction = ""] = route.series;
  const fast = (of: string) =>
    channels.find(
      (channel) =>
        sensorOf(channel.series) === sensorOf(of) && channel.kind === "gauge" && /speed|wind|velocity/i.test(channel.channel),
    ) ?? channels.find((channel) => sensorOf(channel.series) === sensorOf(of) && /m\/s|km\/h|kn|mph/.test(channel.unit));
  const choose = (more: Partial<typeof route>) => act.go({ ...route, ...more });
  const [first] = angles;
  const beside = route.series.length !== 2 && first ? fast(first.series) : undefined;
  const pair = first && beside ? { ...route, series: [beside.series, first.series], range: MONTH } : null;
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
            onChange={(value) => choose({ series: [speed, value] })}
          />
          <Choice
            label="Speed"
            value={speed}
            options={gauges.map((channel) => [channel.series, channel.series] as const)}
            onChange={(value) => choose({ series: [value, direction] })}
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
      {speeds && directions ? (
        <Petals shown={rose(speeds, directions)} unit={speeds.unit} />
      ) : state.buckets.busy ? (
        <Empty>Asking sensorlogd …</Empty>
      ) : null}
    </>
  );
}

function Petals({ shown, unit }: { shown: Rose; unit: string }) {
  if (!shown.steps) return <Empty>There are no readings of both in this range.</Empty>;
  const most = Math.max(...shown.shares.map((parts) => parts.reduce((sum, part) => sum + part, 0)), 0.01);
  const at = (share: number, degrees: number): string => {
    const angle = ((degrees - 90) * Math.PI) / 180;
    return `${(MIDDLE + Math.cos(angle) * (share / most) * REACH).toFixed(1)} ${(MIDDLE + Math.sin(angle) * (share / most) * REACH).toFixed(1)}`;
  };
  return (
    <section class="panel rose">
      <svg
        viewBox={`0 0 ${SIZE} ${SIZE}`}
        role="img"
        aria-label={SECTORS.map(
          (name, index) => `${name} ${percent((shown.shares[index] ?? []).reduce((sum, share) => sum + share, 0))}`,
        ).join(", ")}
      >
        {[0.5, 1].map((part) => (
          <g key={part}>
            <circle cx={MIDDLE} cy={MIDDLE} r={REACH * part} class="grid" />
            <text x={MIDDLE + 4} y={MIDDLE - REACH * part - 3}>
              {percent(most * part)}
            </text>
          </g>
        ))}
        {SECTORS.map((name, index) => {
          let inner = 0;
          const [from, until] = [index * 22.5 - 9, index * 22.5 + 9];
          return (shown.shares[index] ?? []).map((part, kind) => {
            const outer = inner + part;
            const [near, far] = [(inner / most) * REACH, (outer / most) * REACH];
            const shape = `M${at(inner, from)} L${at(outer, from)} A${far} ${far} 0 0 1 ${at(outer, until)} L${at(inner, until)} A${near} ${near} 0 0 0 ${at(inner, from)}Z`;
            inner = outer;
            return part ? (
              <path key={`${name}${kind}`} d={shape} class={`shade${SHADES[kind]}`}>
                <title>{`${name}, ${words(shown.limits, kind, unit)}: ${percent(part)}`}</title>
              </path>
            ) : null;
          });
        })}
        {["N", "E", "S", "W"].map((name, index) => {
          const angle = ((index * 90 - 90) * Math.PI) / 180;
          return (
            <text
              key={name}
              x={MIDDLE + Math.cos(angle) * (REACH + 24)}
              y={MIDDLE + Math.sin(angle) * (REACH + 24) + 5}
              text-anchor="middle"
              class="strong"
            >
              {name}
            </text>
          );
        })}
      </svg>
      <ul class="plain shades">
        {shown.limits.map((limit, kind) => (
          <li key={limit}>
            <span class={`shade${SHADES[kind]}`} /> {words(shown.limits, kind, unit)}
          </li>
        ))}
        <li>
          {percent(shown.calm)} calm; {plural(shown.steps, "step")}
        </li>
      </ul>
    </section>
  );
}

const SHADES = [1, 3, 4, 6, 7];
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

function words(limits: readonly number[], kind: number, unit: string): string {
  const from = kind ? limits[kind - 1] : 0;
  return kind === limits.length - 1 ? `over ${from} ${unit}` : `${from} to ${limits[kind]} ${unit}`;
}

// Consumption and rain: the increase of counters by hour, day or month, as bars; with a price, the cost.

import { type Bar, BYS, type By, barsOf, costs, nice, period, title } from "../state/figures";
import { everyChannel, type State } from "../state/model";
import { axis, computed, NOTHING } from "../state/numbers";
import type { Act } from "./act";
import { COLOURS } from "./chart/palette";
import { Choice, Written } from "./parts/fields";
import { Empty } from "./parts/texts";

const [HEIGHT, LEFT, FOOT] = [230, 50, 22];

/** The page of consumption. */
export function Use({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const counters = everyChannel(state).filter((channel) => channel.kind === "counter");
  const by = (BYS.find(([name]) => name === route.more["by"])?.[0] ?? "1d") as By;
  const [since, until] = period(by, Number(route.more["at"]) || state.now);
  const choose = (more: Record<string, string>, series = route.series) =>
    act.go({ ...route, series, more: { ...route.more, ...more } });
  const [only] = counters;
  if (!route.series.length && only) {
    queueMicrotask(() => act.go({ ...route, series: [only.series] }, true));
    return null;
  }
  const counted = state.figures.data ?? [];
  const bars = barsOf(counted, by, since, until);
  const price = Number(route.more["price"]) || 0;
  const unit = counted[0]?.unit ?? "";
  const sums = counted.map((_, index) => bars.reduce((sum, bar) => sum + (bar.values[index] ?? 0), 0));
  const places = 3;
  const priced = price ? undefined : state.costs.data?.[0];
  const paid = costs(priced, by);
  const total = price
    ? ` (${((sums[0] ?? 0) * price).toFixed(2)})`
    : priced
      ? ` (${paid.sum.toFixed(2)} ${priced.currency}${paid.unpriced > 0 ? `, ${computed(paid.unpriced, places)} ${priced.unit} without a price` : ""})`
      : "";
  const costOf = (bar: Bar): string => {
    if (bar.values[0] === null || bar.values[0] === undefined) return NOTHING;
    return price ? (bar.values[0] * price).toFixed(2) : (paid.known.get(bar.label)?.toFixed(2) ?? NOTHING);
  };
  return (
    <>
      <h2>Consumption</h2>
      <div class="tools">
        <Choice
          label="Counter"
          value={route.series[0] ?? ""}
          options={counters.map((channel) => [channel.series, `${channel.series} ${channel.unit}`] as const)}
          onChange={(value) => choose({}, [value])}
        />
        <Choice
          label="By"
          value={by}
          options={BYS.map(([name, word]) => [name, word] as const)}
          onChange={(value) => choose({ by: value })}
        />
        <span class="together">
          <button type="button" aria-label="Earlier" onClick={() => choose({ at: String(since - 43200) })}>
            ◀
          </button>
          <button type="button" aria-label="Later" onClick={() => choose({ at: until > state.now ? "" : String(until + 43200) })}>
            ▶
          </button>
        </span>
        <label class="choice">
          <span>{`Price of a ${unit || "unit"}`}</span>
          <Written
            type="number"
            step="any"
            min="0"
            value={route.more["price"] ?? ""}
            onWritten={(value) => choose({ price: value })}
          />
        </label>
      </div>
      {!counters.length ? <Empty>There is no counter in this log (kind: counter).</Empty> : null}
      {counted.length ? (
        <section class="panel">
          <h3>
            {title(by, since)}: {computed(sums[0], places)} {unit}
            <span data-cost={priced ? paid.sum : undefined}>{total}</span>
          </h3>
          <Bars bars={bars} unit={unit} />
          <details>
            <summary>Data table</summary>
            <table>
              <thead>
                <tr>
                  <th scope="col">{BYS.find(([name]) => name === by)?.[1]}</th>
                  <th scope="col">{unit || "count"}</th>
                  {price || priced ? <th scope="col">cost{priced ? ` ${priced.currency}` : ""}</th> : null}
                </tr>
              </thead>
              <tbody>
                {bars.map((bar) => (
                  <tr key={bar.at}>
                    <th scope="row">{bar.label}</th>
                    <td>{computed(bar.values[0], places)}</td>
                    {price || priced ? <td>{costOf(bar)}</td> : null}
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </section>
      ) : state.figures.busy ? (
        <Empty>Asking sensorlogd …</Empty>
      ) : null}
    </>
  );
}

function Bars({ bars: shown, unit }: { bars: Bar[]; unit: string }) {
  const narrow = window.innerWidth < 600;
  const WIDTH = narrow ? 350 : 900;
  const most = Math.max(0, ...shown.flatMap((bar) => bar.values.map((value) => value ?? 0)));
  const step = nice(most / 4 || 1);
  const marks = Array.from({ length: Math.ceil(most / step || 1) + 1 }, (_, index) => index * step);
  const top = marks.at(-1) as number;
  const wide = (WIDTH - LEFT) / shown.length;
  const y = (value: number) => 24 + (HEIGHT - FOOT - 24) * (1 - value / top);
  const every = Math.ceil(shown.length / (narrow ? 10 : 31));
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`Bars of ${shown.map((bar) => `${bar.label}: ${computed(bar.values[0], 3)} ${unit}`).join(", ")}`}
    >
      {axis(marks).map((words, index) => (
        <g key={words}>
          <line x1={LEFT} x2={WIDTH} y1={y(marks[index] as number)} y2={y(marks[index] as number)} class="grid" />
          <text x={LEFT - 6} y={y(marks[index] as number) + 4} text-anchor="end">
            {words}
          </text>
        </g>
      ))}
      <text x={4} y={11}>
        {unit}
      </text>
      {shown.map((bar, index) => (
        <g key={bar.at}>
          {bar.values.map((value, own) => (
            <rect
              key={own}
              class={`c${(own % COLOURS) + 1}`}
              x={LEFT + index * wide + wide * 0.12}
              width={wide * 0.76}
              y={y(value ?? 0)}
              height={HEIGHT - FOOT - y(value ?? 0)}
            >
              <title>{`${bar.label}: ${computed(value, 3)} ${unit}`}</title>
            </rect>
          ))}
          {index % every === 0 ? (
            <text x={LEFT + (index + 0.5) * wide} y={HEIGHT - 6} text-anchor="middle">
              {bar.label}
            </text>
          ) : null}
        </g>
      ))}
    </svg>
  );
}

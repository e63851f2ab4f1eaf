// What consumption is shown of: the counter, the width of a bar, the period, the price.

import type { State } from "../../state/model";
import { BYS, type By } from "../../state/pages/consumption";
import { consumptionParameters } from "../../state/parameters";
import type { Channel } from "../../state/series";
import type { Act } from "../act";
import { Choice, Written } from "../parts/fields";

/** Half a day beyond an end of a period is within the next one, whatever the clocks do there: a day of hours is the shortest. */
const HALF_A_DAY_S = 43_200;

interface ConsumptionToolsProps {
  state: State;
  act: Act;
  counters: readonly Channel[];
  by: By;
  since: number;
  until: number;
  unit: string;
}

/** The tools above the bars of [since, until). */
export function ConsumptionTools({ state, act, counters, by, since, until, unit }: ConsumptionToolsProps) {
  const { route, now } = state;
  const choose = (more: Record<string, string>) => act.go((route) => ({ ...route, more: { ...route.more, ...more } }));
  return (
    <div class="tools">
      <Choice
        label="Counter"
        value={route.series[0] ?? ""}
        options={counters.map((channel) => [channel.series, `${channel.series} ${channel.unit}`] as const)}
        onChange={(value) => act.go((route) => ({ ...route, series: [value] }))}
      />
      <Choice
        label="By"
        value={by}
        options={BYS.map(([name, word]) => [name, word] as const)}
        onChange={(value) => choose({ by: value })}
      />
      <span class="together">
        <button type="button" aria-label="Earlier" onClick={() => choose({ at: String(since - HALF_A_DAY_S) })}>
          ◀
        </button>
        <button type="button" aria-label="Later" onClick={() => choose({ at: until > now ? "" : String(until + HALF_A_DAY_S) })}>
          ▶
        </button>
      </span>
      <label class="choice">
        <span>{`Price of a ${unit || "unit"}`}</span>
        <Written
          type="number"
          step="any"
          min="0"
          value={consumptionParameters(route, now).writtenPrice}
          onWritten={(value) => choose({ price: value })}
        />
      </label>
    </div>
  );
}

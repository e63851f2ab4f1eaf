// Consumption and rain: the increase of counters by hour, day or month, as bars; with a price, the cost.

import { everyChannel, type State } from "../../state/model";
import { costOf, period } from "../../state/pages/consumption";
import { consumptionParameters } from "../../state/parameters";
import { seriesOf } from "../../state/series";
import type { Act } from "../act";
import { useInstead } from "../instead";
import { Empty } from "../parts/texts";
import { Counted } from "./counted";
import { ConsumptionTools } from "./tools";

/** The page of consumption. */
export function Use({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const counters = everyChannel(state).filter((channel) => channel.kind === "counter");
  const [only] = counters;
  if (useInstead(act, !route.series.length && only ? { ...route, series: [only.series] } : null)) return null;
  const { by, at, price } = consumptionParameters(route, state.now);
  const [since, until] = period(by, at);
  const counted = (state.buckets.data ?? []).filter((buckets) => buckets.kind === "counter");
  const unit = counted[0]?.unit ?? "";
  const shown = { by, since, until };
  return (
    <>
      <h2>Consumption</h2>
      <ConsumptionTools state={state} act={act} counters={counters} unit={unit} {...shown} />
      {!counters.length ? <Empty>There is no counter in this log (kind: counter).</Empty> : null}
      {counted.length ? (
        counted.map((buckets) => (
          <Counted
            key={seriesOf(buckets)}
            counted={buckets}
            name={counted.length > 1 ? seriesOf(buckets) : ""}
            price={buckets.unit === unit ? price : 0}
            cost={costOf(state.costs.data ?? [], buckets)}
            {...shown}
          />
        ))
      ) : state.buckets.busy ? (
        <Empty>Asking sensorlogd …</Empty>
      ) : state.buckets.data?.length ? (
        <Empty>The address names no counter.</Empty>
      ) : null}
    </>
  );
}

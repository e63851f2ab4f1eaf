// Consumption and rain: the increase of counters by hour, day or month, as bars; with a price, the cost.

import { period } from "../../state/consumption";
import { everyChannel, type State } from "../../state/model";
import { consumptionParameters } from "../../state/parameters";
import type { Act } from "../act";
import { useInstead } from "../instead";
import { Empty } from "../parts/texts";
import { Counted } from "./counted";
import { Tools } from "./tools";

/** The page of consumption. */
export function Use({ state, act }: { state: State; act: Act }) {
  const { route } = state;
  const counters = everyChannel(state).filter((channel) => channel.kind === "counter");
  const [only] = counters;
  if (useInstead(act, !route.series.length && only ? { ...route, series: [only.series] } : null)) return null;
  const { by, at, price } = consumptionParameters(route, state.now);
  const [since, until] = period(by, at);
  const counted = state.buckets.data ?? [];
  const shown = { by, since, until };
  return (
    <>
      <h2>Consumption</h2>
      <Tools state={state} act={act} counters={counters} unit={counted[0]?.unit ?? ""} {...shown} />
      {!counters.length ? <Empty>There is no counter in this log (kind: counter).</Empty> : null}
      {counted.length ? (
        <Counted counted={counted} price={price} cost={state.costs.data?.[0]} {...shown} />
      ) : state.buckets.busy ? (
        <Empty>Asking sensorlogd …</Empty>
      ) : null}
    </>
  );
}

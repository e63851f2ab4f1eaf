// Consumption and rain: the increase of counters by hour, day or month, as bars; with a price, the cost.

import { BYS, type By, period } from "../../state/consumption";
import { everyChannel, type State } from "../../state/model";
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
  const by = (BYS.find(([name]) => name === route.more["by"])?.[0] ?? "1d") as By;
  const [since, until] = period(by, Number(route.more["at"]) || state.now);
  const counted = state.buckets.data ?? [];
  const shown = { by, since, until };
  return (
    <>
      <h2>Consumption</h2>
      <Tools state={state} act={act} counters={counters} unit={counted[0]?.unit ?? ""} {...shown} />
      {!counters.length ? <Empty>There is no counter in this log (kind: counter).</Empty> : null}
      {counted.length ? (
        <Counted counted={counted} price={Number(route.more["price"]) || 0} cost={state.costs.data?.[0]} {...shown} />
      ) : state.buckets.busy ? (
        <Empty>Asking sensorlogd …</Empty>
      ) : null}
    </>
  );
}

// The sensors in one line of the head.

import { counts, ordered } from "../../state/health";
import type { State } from "../../state/model";
import { to } from "../../state/route";
import { plural } from "../../state/words";

/** How many sensors have trouble, of how many; or that none has. Nothing while there are no sensors. */
export function Tally({ state }: { state: State }) {
  if (!state.sensors?.length) return null;
  const levels = counts(ordered(state));
  const wrong = levels.bad + levels.warn;
  return (
    <a class={`tally ${levels.bad ? "bad" : wrong ? "warn" : ""}`} href={to("overview")}>
      {wrong
        ? `${wrong} of ${plural(state.sensors.length, "sensor")} ${wrong === 1 ? "needs" : "need"} a look`
        : `${plural(state.sensors.length, "sensor")}, all ok`}
    </a>
  );
}

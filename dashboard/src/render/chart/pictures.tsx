// The pictures of a chart, each with its legend.

import { rightsOf } from "../../state/chart/axes";
import type { State } from "../../state/model";
import { between, moved, zoomed } from "../../state/route";
import type { Act } from "../act";
import type { Drawn } from "./drawn";
import { Legend } from "./legend";
import type { Gestures } from "./picture/gestures";
import { Picture } from "./picture/picture";

/** A picture for each group of lines; gestures go to all of the page. */
export function Pictures({ state, act, drawn }: { state: State; act: Act; drawn: Drawn }) {
  const { marking, now } = state;
  const { data } = state.chart;
  const { groups, hidden, marks, limits, periods } = drawn;
  const gestures: Gestures = {
    zoom: (since, until) => (marking ? act.select({ since, until }) : act.go((route) => between(route, since, until))),
    pan: (share) => act.go((route, now) => moved(route, now, share)),
    scale: (factor, around) => act.go((route, now) => zoomed(route, now, factor, around)),
    cursor: act.cursor,
    say: act.say,
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return (
    <>
      {groups.map((group) => (
        <section
          class="picture"
          key={group.map((line) => line.name).join()}
          aria-label={group.map((line) => line.name).join(", ")}
        >
          <Picture
            lines={group}
            since={data?.since ?? 0}
            until={data?.until ?? 1}
            events={marks}
            limits={limits}
            periods={periods}
            marking={marking}
            hidden={hidden}
            rights={rightsOf(groups)}
            dark={dark}
            now={now}
            gestures={gestures}
          />
          <Legend lines={group} state={state} act={act} />
        </section>
      ))}
    </>
  );
}

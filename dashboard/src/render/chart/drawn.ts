// What a chart draws, computed anew only where what it follows from has changed: pictures draw again when they get something new.

import { useMemo, useRef } from "preact/hooks";
import { type Limit, limitsOf, periodsOf } from "../../state/alarms";
import { pictures } from "../../state/chart/axes";
import { eventsShown, isMarked } from "../../state/chart/events";
import { type Line, linesOf, shownOf } from "../../state/chart/lines";
import { type AlarmPeriod, everyChannel, type LogEvent, type State } from "../../state/model";
import type { Channel } from "../../state/series";
import { axesThatFit } from "../widths";

/** All that the chart draws. */
export interface Drawn {
  known: readonly Channel[];
  lines: readonly Line[];
  /** Lines that share a picture. */
  groups: readonly (readonly Line[])[];
  /** Names of lines that are not drawn. */
  hidden: ReadonlySet<string>;
  events: readonly LogEvent[];
  /** Those events that have a mark in the pictures. */
  marks: readonly LogEvent[];
  limits: readonly Limit[];
  periods: readonly AlarmPeriod[];
}

/** A hook: what the chart draws of the state. */
export function useDrawn(state: State): Drawn {
  const { route, sensors, former, alarms, recent, chartEvents } = state;
  const { data } = state.chart;
  const known = useKept(useMemo(() => everyChannel(state), [sensors, former]));
  const lines = useMemo(() => (data ? linesOf(data, known, route.totals) : []), [data, known, route.totals]);
  const axes = axesThatFit();
  const groups = useMemo(() => pictures(lines, axes), [lines, axes]);
  const names = useKept(route.hidden);
  const hidden = useMemo(() => new Set(names), [names]);
  const events = useKept(useMemo(() => eventsShown(state, data), [chartEvents, recent, data]));
  const marks = useMemo(() => events.filter(isMarked), [events]);
  const limits = useKept(useMemo(() => limitsOf(shownOf(lines, hidden), alarms), [lines, alarms, hidden]));
  const periods = useKept(
    useMemo(() => (data ? periodsOf(chartEvents.data?.periods ?? [], lines, data) : []), [chartEvents, lines, data]),
  );
  return { known, lines, groups, hidden, events, marks, limits, periods };
}

/** The list of before, if this one has the same members: who draws from it need not draw again. */
function useKept<T>(list: readonly T[]): readonly T[] {
  const kept = useRef(list);
  if (list.length !== kept.current.length || list.some((member, at) => member !== kept.current[at])) kept.current = list;
  return kept.current;
}

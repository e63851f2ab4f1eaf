// Alarms: which of them need attention, and which of their limits and times are drawn in charts.

import type { Alarm, AlarmPeriod } from "../load/types";
import type { Line } from "./chart/lines";
import type { Level } from "./health";
import type { Range } from "./model";
import { text } from "./numbers";
import { sensorOf } from "./series";
import { plural } from "./words";

const LEVELS: Record<string, Level> = {
  unacknowledged: "bad",
  acknowledged: "warn",
  "returned unacknowledged": "warn",
  pending: "off",
  shelved: "off",
  normal: "good",
};

/** How loud an alarm in this state is shown. */
export const levelOfAlarm = (state: string): Level => LEVELS[state] ?? "warn";

/** The condition holds, or it did and nobody has acknowledged that. */
export const isRaised = (alarm: Alarm): boolean => ["bad", "warn"].includes(levelOfAlarm(alarm.state));

/** Nobody has acknowledged it yet. */
export const isWaiting = (alarm: Alarm): boolean => alarm.state === "unacknowledged" || alarm.state === "returned unacknowledged";

/** The name of an alarm in requests that change something: `alarm/series`. */
export const nameOf = (alarm: Alarm): string => `${alarm.alarm}/${alarm.series}`;

/** What stands for all alarms that wait, among the choices of those to acknowledge: no name of an alarm, which has a slash. */
export const ALL = "all";

/**
 * What can be acknowledged, as (value, words): all, or each that waits. One that was chosen and waits no more, because somebody
 * else has acknowledged it, stays chosen and is named so: all the others are not what was meant.
 */
export function choicesOf(waiting: readonly Alarm[], chosen: string): (readonly [string, string])[] {
  const names = waiting.map(nameOf);
  const gone = chosen !== ALL && !names.includes(chosen);
  return [
    [ALL, waiting.length === 1 ? "this alarm" : `all ${waiting.length}`],
    ...(gone ? [[chosen, `${chosen}, acknowledged meanwhile`] as const] : []),
    ...waiting.map((alarm, index) => [names[index] ?? "", `${alarm.alarm} of ${alarm.series || "the daemon"}`] as const),
  ];
}

/** The condition holds now, and people were told. */
export const isActive = (alarm: Alarm): boolean => alarm.state === "unacknowledged" || alarm.state === "acknowledged";

/** Whether an alarm is about this series, or (an alarm of events) about its sensor. */
export const concerns = (scope: { series: string }, series: string): boolean =>
  scope.series === series || scope.series === sensorOf(series);

/** Whether an alarm is about this sensor or one of its channels. */
export const ofSensor = (alarm: Alarm, sensor: string): boolean => alarm.series === sensor || sensorOf(alarm.series) === sensor;

/** For the head: how many there are, the worst first. */
export function tally(alarms: readonly Alarm[]): { level: Level; words: string } | null {
  const raised = alarms.filter(isRaised);
  if (!raised.length) return null;
  const fresh = raised.filter((alarm) => alarm.state === "unacknowledged").length;
  const seen = raised.filter((alarm) => alarm.state === "acknowledged").length;
  const over = raised.length - fresh - seen;
  const parts = [
    fresh ? plural(fresh, "alarm") : "",
    seen ? `${seen} acknowledged` : "",
    over ? `${over} over, not acknowledged` : "",
  ].filter(Boolean);
  const words = parts.join(", ");
  return { level: fresh ? "bad" : "warn", words: fresh ? words : `alarms: ${words}` };
}

/** A line across a chart. `alarm`: it is the limit of an alarm; otherwise one of the channel's `valid`. */
export interface Limit {
  unit: string;
  value: number;
  text: string;
  alarm: boolean;
}

/** Lines of `valid`, and of alarms that compare with a number; each once. */
export function limitsOf(lines: readonly Line[], alarms: readonly Alarm[]): Limit[] {
  const limits = new Map<string, Limit>();
  const add = (limit: Limit) => limits.set(`${limit.unit}|${limit.value}|${limit.text}`, limit);
  for (const line of lines) {
    if (line.kind === "rate" || line.kind === "state") continue;
    const { unit } = line;
    line.valid?.forEach((value, end) => {
      if (value !== null) add({ unit, value, text: `valid ${end ? "to" : "from"} ${text(value)}`, alarm: false });
    });
    for (const alarm of alarms) {
      if (alarm.series !== line.name) continue;
      if (alarm.limit !== null) add({ unit, value: alarm.limit, text: `${alarm.alarm} ${alarm.condition}`, alarm: true });
      if (alarm.clear_limit !== null && alarm.clear_limit !== alarm.limit)
        add({ unit, value: alarm.clear_limit, text: `${alarm.alarm} over`, alarm: true });
    }
  }
  return [...limits.values()];
}

/** The times in alarm of the series that are shown, as far as they reach into the range: a live one has moved on since they were asked for. */
export const periodsOf = (periods: readonly AlarmPeriod[], lines: readonly Line[], { since, until }: Range): AlarmPeriod[] =>
  periods.filter(
    (period) =>
      period.since < until &&
      (period.until === null || period.until > since) &&
      lines.some((line) => concerns(period, line.name)),
  );

// Alarms: which of them need attention, and which of their limits and times are drawn in charts.

import type { Alarm, AlarmPeriod } from "../load/types";
import type { Line } from "./frame";
import type { Level } from "./health";
import { text } from "./numbers";
import { sensorOf } from "./series";

const LEVELS: Record<string, Level> = {
  unacknowledged: "bad",
  acknowledged: "warn",
  "returned unacknowledged": "warn",
  pending: "off",
  shelved: "off",
  normal: "good",
};

export const levelOfAlarm = (state: string): Level => LEVELS[state] ?? "warn";

/** The condition holds, or it did and nobody has acknowledged that. */
export const isRaised = (one: Alarm): boolean => ["bad", "warn"].includes(levelOfAlarm(one.state));

/** Nobody has acknowledged it yet. */
export const isWaiting = (one: Alarm): boolean => one.state === "unacknowledged" || one.state === "returned unacknowledged";

/** The name of an alarm in requests that change something: `alarm/series`. */
export const nameOf = (one: Alarm): string => `${one.alarm}/${one.series}`;

/** The condition holds now, and people were told. */
export const isActive = (one: Alarm): boolean => one.state === "unacknowledged" || one.state === "acknowledged";

/** Whether an alarm is about this series, or (an alarm of events) about its sensor. */
export const concerns = (one: { series: string }, series: string): boolean =>
  one.series === series || one.series === sensorOf(series);

export const ofSensor = (one: Alarm, sensor: string): boolean => one.series === sensor || sensorOf(one.series) === sensor;

/** For the head: how many there are, the worst first. */
export function tally(alarms: readonly Alarm[]): { level: Level; words: string } | null {
  const raised = alarms.filter(isRaised);
  if (!raised.length) return null;
  const fresh = raised.filter((one) => one.state === "unacknowledged").length;
  const seen = raised.filter((one) => one.state === "acknowledged").length;
  const over = raised.length - fresh - seen;
  const parts = [
    fresh ? `${fresh} ${fresh === 1 ? "alarm" : "alarms"}` : "",
    seen ? `${seen} acknowledged` : "",
    over ? `${over} over, not acknowledged` : "",
  ].filter(Boolean);
  const words = parts.join(", ");
  return { level: fresh ? "bad" : "warn", words: fresh ? words : `alarms: ${words}` };
}

/** A line across a chart. `alarm`: it is the limit of an alarm; otherwise one of the channel's `valid`. */
export interface Threshold {
  unit: string;
  value: number;
  text: string;
  alarm: boolean;
}

/** Lines of `valid`, and of alarms that compare with a number; each once. */
export function thresholds(lines: readonly Line[], alarms: readonly Alarm[]): Threshold[] {
  const found = new Map<string, Threshold>();
  const add = (one: Threshold) => found.set(`${one.unit}|${one.value}|${one.text}`, one);
  for (const one of lines) {
    if (one.kind === "rate" || one.kind === "state") continue;
    const { unit } = one;
    one.valid?.forEach((value, end) => {
      if (value !== null) add({ unit, value, text: `valid ${end ? "to" : "from"} ${text(value)}`, alarm: false });
    });
    for (const alarm of alarms) {
      if (alarm.series !== one.name) continue;
      if (alarm.limit !== null) add({ unit, value: alarm.limit, text: `${alarm.alarm} ${alarm.condition}`, alarm: true });
      if (alarm.clear_limit !== null && alarm.clear_limit !== alarm.limit)
        add({ unit, value: alarm.clear_limit, text: `${alarm.alarm} over`, alarm: true });
    }
  }
  return [...found.values()];
}

/** The times in alarm of the series that are shown. */
export const periodsOf = (periods: readonly AlarmPeriod[], lines: readonly Line[]): AlarmPeriod[] =>
  periods.filter((one) => lines.some((line) => concerns(one, line.name)));

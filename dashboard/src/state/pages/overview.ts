// Which sensors the overview lists: what a search finds, and in which groups the sensors stand.

import type { SensorReport } from "../health";
import type { Sensor } from "../model";
import { matches } from "../series";

/** Keys of labels by which sensors can be grouped: those that have more than one value. */
export function groupings(sensors: readonly Sensor[]): string[] {
  const keys = new Map<string, Set<string>>();
  for (const sensor of sensors)
    for (const channel of sensor.channels)
      for (const [key, value] of Object.entries(channel.labels)) keys.set(key, (keys.get(key) ?? new Set()).add(value));
  return [...keys].filter(([, values]) => values.size > 1).map(([key]) => key);
}

/** The name of a sensor's group. `by`: the key of a label, or "name": how the sensor's name begins. */
function groupOf(sensor: Sensor, by: string): string {
  if (by === "name") return sensor.sensor.split(/[-_.\d]/)[0] || sensor.sensor;
  const values = new Set(sensor.channels.map((channel) => channel.labels[by] ?? ""));
  return [...values].filter(Boolean).join(", ") || `no ${by}`;
}

/**
 * Sensors in groups, each with its name, in the order of these; within one as they were given. `by`: the key of a label, "name", or
 * "none" or empty for a single group without a name.
 */
export function grouped(reports: readonly SensorReport[], by: string): [name: string, members: SensorReport[]][] {
  const groups = new Map<string, SensorReport[]>();
  for (const report of reports) {
    const name = by && by !== "none" ? groupOf(report.sensor, by) : "";
    groups.set(name, [...(groups.get(name) ?? []), report]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
}

/** How the sensors of a group are: "all ok", or how many there are of each health, as "3 ok, 1 stale". */
export function healthOf(members: readonly SensorReport[]): string {
  if (members.every((report) => report.level === "good")) return "all ok";
  const numbers = new Map<string, number>();
  for (const report of members) numbers.set(report.health, (numbers.get(report.health) ?? 0) + 1);
  return [...numbers].map(([health, count]) => `${count} ${health}`).join(", ");
}

/** Whether the words of the search are in anything that is said of the sensor, or a glob means one of its series. */
export function isFound({ sensor, health, says }: SensorReport, search: string): boolean {
  const words = [
    sensor.sensor,
    health,
    says,
    ...sensor.channels.flatMap((channel) => [channel.unit, ...Object.values(channel.labels)]),
  ];
  return (
    sensor.channels.some((channel) => matches(channel.series, search, true)) ||
    words.some((word) => word.toLowerCase().includes(search.toLowerCase()))
  );
}

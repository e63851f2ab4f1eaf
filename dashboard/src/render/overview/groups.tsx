// Sensors in groups, by a label or by how their names begin.

import type { ComponentChildren } from "preact";
import { groupOf, type SensorReport } from "../../state/health";
import { plural } from "../../state/words";

interface GroupsProps {
  reports: readonly SensorReport[];
  /** The key of a label, "name", or "none". */
  by: string;
  /** A group has a head even if it is the only one, because something else stands above it. */
  headed: boolean;
  /** Groups begin folded. */
  folded: boolean;
  list: (reports: SensorReport[]) => ComponentChildren;
}

/** Groups in the order of their names. One group alone has no head, unless `headed`. */
export function Groups({ reports, by, headed, folded, list }: GroupsProps) {
  const groups = new Map<string, SensorReport[]>();
  for (const report of reports) {
    const name = by && by !== "none" ? groupOf(report.sensor, by) : "";
    groups.set(name, [...(groups.get(name) ?? []), report]);
  }
  return (
    <>
      {[...groups]
        .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
        .map(([name, members]) =>
          name || groups.size > 1 || headed ? (
            <details key={name} class="group" open={!folded}>
              <summary>
                <h3>
                  {name || "All others"}{" "}
                  <span class="unit">
                    {plural(members.length, "sensor")},{" "}
                    {members.every((report) => report.level === "good") ? "all ok" : byHealth(members)}
                  </span>
                </h3>
              </summary>
              {list(members)}
            </details>
          ) : (
            <section key={name}>{list(members)}</section>
          ),
        )}
    </>
  );
}

/** The number of sensors of each health: "3 ok, 1 stale". */
function byHealth(reports: readonly SensorReport[]): string {
  const numbers = new Map<string, number>();
  for (const report of reports) numbers.set(report.health, (numbers.get(report.health) ?? 0) + 1);
  return [...numbers].map(([health, count]) => `${count} ${health}`).join(", ");
}

// Sensors in groups, by a label or by how their names begin.

import type { ComponentChildren } from "preact";
import type { SensorReport } from "../../state/health";
import { grouped, healthOf } from "../../state/pages/overview";
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
  const groups = grouped(reports, by);
  return (
    <>
      {groups.map(([name, members]) =>
        name || groups.length > 1 || headed ? (
          <details key={name} class="group" open={!folded}>
            <summary>
              <h3>
                {name || "All others"}{" "}
                <span class="unit">
                  {plural(members.length, "sensor")}, {healthOf(members)}
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

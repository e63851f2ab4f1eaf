// The tools above the sensors: what to find, how to group, cards or rows.

import { overviewParameters } from "../../state/parameters";
import type { Route } from "../../state/route";
import { Choice } from "../parts/fields";

interface OverviewToolsProps {
  route: Route;
  /** Keys of labels by which sensors can be grouped. */
  keys: readonly string[];
  /** The key that is chosen, "name", or nothing. */
  by: string;
  rows: boolean;
  choose: (name: "find" | "by" | "show", value: string) => void;
}

/** The tools; each choice is kept in the address. */
export function OverviewTools({ route, keys, by, rows, choose }: OverviewToolsProps) {
  return (
    <div class="tools">
      <input
        type="search"
        placeholder="Find: name, channel, unit, *.glob"
        aria-label="Find a sensor"
        autocomplete="off"
        value={overviewParameters(route).find}
        onInput={(event) => choose("find", event.currentTarget.value)}
      />
      <Choice
        label="Group by"
        value={by || "none"}
        options={[["none", "nothing"], ...keys.map((key) => [key, key] as const), ["name", "first word"]]}
        onChange={(value) => choose("by", value)}
      />
      <Choice
        label="Show"
        value={rows ? "rows" : "cards"}
        options={[
          ["cards", "cards"],
          ["rows", "rows"],
        ]}
        onChange={(value) => choose("show", value)}
      />
    </div>
  );
}

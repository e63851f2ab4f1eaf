// Which series: looked for by any part of the name, or by a glob that stands for all that it means.

import { useState } from "preact/hooks";
import { MOST_SERIES } from "../../load/charted";
import type { State } from "../../state/model";
import { picked } from "../../state/route";
import { type Channel, chosen, matches } from "../../state/series";
import type { Act } from "../act";
import { Breakable } from "../parts/texts";

const LISTED = 150;

/** The names of the series that the names and globs of a route mean. */
const namesOf = (known: readonly Channel[], series: readonly string[]): ReadonlySet<string> =>
  new Set(chosen(known, series).channels.map((channel) => channel.series));

/** The list of series, with those of the chart ticked. */
export function Picker({ state, act, known }: { state: State; act: Act; known: readonly Channel[] }) {
  const { route } = state;
  const [search, setSearch] = useState("");
  const on = namesOf(known, route.series);
  const matching = known.filter(
    (channel) => !search || matches(channel.series, search.trim(), true) || channel.unit === search.trim(),
  );
  const pick = (change: (on: ReadonlySet<string>) => readonly string[]) =>
    act.go((route) => {
      const names = change(namesOf(known, route.series));
      if (names.length > MOST_SERIES) act.say(`At most ${MOST_SERIES} series at a time.`);
      return picked(route, names.slice(0, MOST_SERIES));
    });
  const toggle = (name: string) => pick((on) => (on.has(name) ? [...on].filter((series) => series !== name) : [...on, name]));
  return (
    <details class="picker" open={route.series.length === 0 || undefined}>
      <summary>
        Series <span class="unit">{on.size ? `${on.size} of ${known.length}` : `${known.length} to choose from`}</span>
      </summary>
      <div class="tools">
        <input
          type="search"
          placeholder="Find: part of a name, a unit, *.temperature"
          aria-label="Find a series"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <button
          type="button"
          disabled={!search || !matching.length}
          onClick={() => pick((on) => [...new Set([...on, ...matching.map((channel) => channel.series)])])}
        >
          Add {matching.length} found
        </button>
        <button type="button" disabled={!on.size} onClick={() => pick(() => [])}>
          None
        </button>
      </div>
      <div class="choices">
        {matching.slice(0, LISTED).map((channel) => (
          <label key={channel.series}>
            <input
              type="checkbox"
              value={channel.series}
              checked={on.has(channel.series)}
              onChange={() => toggle(channel.series)}
            />{" "}
            <Breakable>{channel.series}</Breakable>
            {channel.unit ? <span class="unit"> {channel.unit}</span> : null}
            {channel.retired ? <span class="unit"> (former)</span> : null}
          </label>
        ))}
        {matching.length > LISTED ? <span class="unit">{matching.length - LISTED} more: search for them.</span> : null}
        {known.length && !matching.length ? <span class="unit">No series matches “{search}”.</span> : null}
      </div>
    </details>
  );
}

// Time range, looks, files.

import type { State } from "../../state/model";
import { between, bounds, moved, PRESETS, type Route, zoomed } from "../../state/route";
import { clock, day, momentOf } from "../../state/words";
import type { Act } from "../act";
import { Written, WrittenDay } from "../parts/fields";

/** The row of controls above the pictures. `csv`: the address of the file; undefined while there is none. */
export function Tools({ state, act, csv, png }: { state: State; act: Act; csv: string | undefined; png: () => void }) {
  const { route } = state;
  const live = route.until === null;
  const [since, until] = bounds(route, state.now);
  const picked = (name: "since" | "until", at: number) => {
    act.go((route, now) => {
      const [from, to] = bounds(route, now);
      return name === "since" ? between(route, at, Math.max(to, at + 60)) : between(route, Math.min(from, at - 60), at);
    });
  };
  const go = (how: Partial<Route>) => act.go((route) => ({ ...route, ...how }));
  const pan = (share: number) => act.go((route, now) => moved(route, now, share));
  const zoom = (factor: number) => act.go((route, now) => zoomed(route, now, factor));
  return (
    <div class="tools" role="toolbar" aria-label="Time range">
      {PRESETS.map(([name, range]) => (
        <button
          key={name}
          type="button"
          aria-label={`Show the last ${name}`}
          aria-pressed={live && range === Math.round(route.range)}
          onClick={() => go({ range, until: null })}
        >
          {name}
        </button>
      ))}
      <span class="together">
        <Button text="◀" label="Earlier" onClick={() => pan(-0.5)} />
        <Button text="▶" label="Later" onClick={() => pan(0.5)} />
        <Button text="+" label="Zoom in" onClick={() => zoom(0.5)} />
        <Button text="−" label="Zoom out" onClick={() => zoom(2)} />
        <button type="button" aria-pressed={live} title="Follow the newest readings" onClick={() => go({ until: null })}>
          Live
        </button>
      </span>
      <details class="more">
        <summary class="button">More</summary>
        <div class="tools">
          <Moment name="From" at={since} onChosen={(at) => picked("since", at)} />
          <Moment name="To" at={until} onChosen={(at) => picked("until", at)} />
          <button
            type="button"
            aria-pressed={route.compare}
            onClick={() => act.go((route) => ({ ...route, compare: !route.compare }))}
          >
            Compare with the period before
          </button>
          <button
            type="button"
            aria-pressed={route.totals}
            onClick={() => act.go((route) => ({ ...route, totals: !route.totals }))}
          >
            Counters as totals
          </button>
          <button type="button" onClick={() => go({ kiosk: true })}>
            Kiosk
          </button>
        </div>
      </details>
      <span class="together">
        {csv ? (
          <a class="button" download="sensorlogd.csv" href={csv}>
            CSV
          </a>
        ) : null}
        <button type="button" onClick={png} disabled={!csv}>
          PNG
        </button>
      </span>
    </div>
  );
}

const Button = ({ text, label, onClick }: { text: string; label: string; onClick: () => void }) => (
  <button type="button" aria-label={label} title={label} onClick={onClick}>
    {text}
  </button>
);

/** A day and a time, both to be written; a time that `momentOf` does not know is not chosen. Pickers of times show twelve hours where the browser is American. */
export function Moment({ name, at, onChosen }: { name: string; at: number; onChosen: (at: number) => void }) {
  const change = (date: string, time: string) => {
    const moment = momentOf(date, time);
    if (moment !== null) onChosen(moment);
  };
  return (
    <span class="choice">
      <span>{name}</span>
      <WrittenDay label={`${name}: day`} value={day(at)} onWritten={(value) => change(value, clock(at))} />
      <Written
        type="text"
        class="clock"
        inputMode="numeric"
        pattern="\d\d:\d\d(:\d\d)?"
        aria-label={`${name}: time`}
        value={clock(at)}
        onWritten={(value) => change(day(at), value.trim())}
      />
    </span>
  );
}

// Below the pictures: the times in alarm and the events of the range, in words.

import { levelOfEvent } from "../../state/events";
import type { AlarmPeriod, LogEvent, State } from "../../state/model";
import { plural, time } from "../../state/words";

/** The shaded parts, in words. */
export function Periods({ periods, state }: { periods: readonly AlarmPeriod[]; state: State }) {
  if (!periods.length) return null;
  return (
    <details class="marks" data-periods={periods.length}>
      <summary>{plural(periods.length, "time")} in alarm in this range (shaded)</summary>
      <ul class="events">
        {[...periods].reverse().map((period) => (
          <li key={`${period.alarm} ${period.series} ${period.since}`}>
            <time>{time(period.since, state.now)}</time> to{" "}
            {period.until === null ? "now, not yet over" : <time>{time(period.until, state.now)}</time>}{" "}
            <b class="bad">{period.alarm}</b> {period.series}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What happened, the newest first. */
export function EventList({ events, state }: { events: readonly LogEvent[]; state: State }) {
  if (!events.length) return null;
  return (
    <details class="marks">
      <summary>{plural(events.length, "event")} in this range</summary>
      <ul class="events">
        {[...events].reverse().map((event) => (
          <li key={event.id}>
            <time>{time(event.time, state.now)}</time> {event.sensor ?? ""} <b class={levelOfEvent(event.kind)}>{event.kind}</b>{" "}
            {event.detail}
          </li>
        ))}
      </ul>
    </details>
  );
}

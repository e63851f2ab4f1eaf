// What is said of a channel now: its newest value, how old that is, by how much it rose, whether it is in alarm.

import { isActive } from "../../state/alarms";
import { isFlagged } from "../../state/health";
import type { Curve, State } from "../../state/model";
import { computed, resolution, text } from "../../state/numbers";
import type { Channel } from "../../state/series";
import { age } from "../../state/words";

/** The newest value of a channel with its unit; a flagged one is marked, its flag in words. */
export function Value({ state, channel }: { state: State; channel: Channel }) {
  const newest = state.latest.get(channel.series);
  const flagged = newest !== undefined && isFlagged(newest.quality);
  const shown = text(newest?.value, channel.decimals);
  const chip =
    channel.kind === "state" && typeof newest?.value === "number" ? ` chip s${Math.abs(Math.round(newest.value)) % 6}` : "";
  return (
    <span class="reading">
      {flagged ? (
        <span class="flag" title={newest.quality}>
          {"⚑ "}
          <span class="unseen">{newest.quality}: </span>
        </span>
      ) : null}
      <b
        class={`value${flagged ? " doubtful" : ""}${chip}${shown.length > 10 ? " long" : ""}`}
        data-value={newest ? String(newest.value) : undefined}
        title={newest?.quality}
      >
        {shown}
      </b>
      {channel.unit ? <span class="unit"> {channel.unit}</span> : null}
    </span>
  );
}

/** How old the newest reading of a channel is; marked when that is more than its heartbeat. */
export function Age({ state, channel }: { state: State; channel: Channel }) {
  const newest = state.latest.get(channel.series);
  const since = newest ? state.now - newest.time : null;
  const old = since !== null && channel.heartbeat_s > 0 && since > channel.heartbeat_s;
  return <span class={`age${old ? " old" : ""}`}>{age(since)}</span>;
}

/** Of a counter: by how much it rose in the last hour, as the API counts that. */
export function Rise({ curve, channel }: { curve: Curve | undefined; channel: Channel }) {
  const increase = curve?.increase ?? null;
  if (channel.kind !== "counter" || increase === null) return null;
  return (
    <span class="rise">
      {" · "}+{computed(increase, resolution([Math.round(increase * 100) / 100]))} {channel.unit} in 1 h
    </span>
  );
}

/** A mark beside a value whose channel is in alarm. */
export function InAlarm({ state, channel }: { state: State; channel: Channel }) {
  const active = state.alarms.filter((alarm) => alarm.series === channel.series && isActive(alarm));
  if (!active.length) return null;
  const fresh = active.some((alarm) => alarm.state === "unacknowledged");
  return <span class={`alarmed ${fresh ? "bad" : "warn"}`}> in alarm</span>;
}

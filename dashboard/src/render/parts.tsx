// Small parts that several pages share.

import { Component, type ComponentChildren, createRef, type InputHTMLAttributes } from "preact";
import { useState } from "preact/hooks";
import { isActive } from "../state/alarms";
import type { Level } from "../state/health";
import { isFlagged } from "../state/health";
import type { Curve, Sensor, State } from "../state/model";
import { computed, resolution, text } from "../state/numbers";
import type { Channel } from "../state/series";
import { age } from "../state/words";
import type { Act } from "./act";

/** A state in a coloured frame. */
export const Pill = ({ level, children }: { level: Level; children: ComponentChildren }) => (
  <span class={`state ${level}`}>{children}</span>
);

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

const WIDTH = 140;
const HEIGHT = 34;

function path(curve: Curve, maxGap: number): string {
  const values = curve.value.filter((value): value is number => value !== null);
  if (!values.length) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const until = curve.time.at(-1) as number;
  const since = Math.min(until - 3600, curve.time[0] as number);
  let drawn = "";
  let before: number | null = null;
  curve.time.forEach((at, row) => {
    const value = curve.value[row];
    if (value === null || value === undefined) return;
    const x = (((at - since) / (until - since || 1)) * (WIDTH - 4) + 2).toFixed(1);
    const y = (high === low ? HEIGHT / 2 : HEIGHT - 4 - ((value - low) / (high - low)) * (HEIGHT - 8)).toFixed(1);
    const gap = before === null || at - before > maxGap;
    drawn += `${gap ? "M" : "L"}${x} ${y}${gap ? "h.01" : ""}`;
    before = at;
  });
  return drawn;
}

interface SparkProps {
  series: string;
  heartbeat: number;
  curve: Curve | undefined;
  act: Act;
}

/** The last hour; it is asked for when it comes into sight. */
export class Spark extends Component<SparkProps> {
  private readonly place = createRef<HTMLSpanElement>();
  private watch: IntersectionObserver | null = null;

  componentDidMount(): void {
    this.watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.watch?.disconnect();
      this.props.act.curve(this.props.series);
    });
    if (this.place.current) this.watch.observe(this.place.current);
  }

  componentWillUnmount(): void {
    this.watch?.disconnect();
  }

  shouldComponentUpdate(next: SparkProps): boolean {
    return next.curve !== this.props.curve;
  }

  render({ curve, heartbeat }: SparkProps) {
    return (
      <span class="curve" ref={this.place}>
        {curve?.time.length ? (
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            <path d={path(curve, heartbeat + 61)} />
          </svg>
        ) : null}
      </span>
    );
  }
}

/** A sentence where there is nothing to show. */
export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

/** A choice of a few words. */
export function Choice({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}) {
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([name, shown]) => (
          <option key={name} value={name} selected={name === value}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}

type Plain = Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onInput" | "onChange" | "onBlur">;

/** What is being written stays, although the page is drawn anew each second; it counts once it is left, or after Enter. */
export function Written({ value, onWritten, ...more }: Plain & { value: string; onWritten: (value: string) => void }) {
  const [draft, setDraft] = useState<string | null>(null);
  return (
    <input
      {...more}
      value={draft ?? value}
      onInput={(event) => setDraft(event.currentTarget.value)}
      onChange={(event) => {
        setDraft(null);
        onWritten(event.currentTarget.value);
      }}
      onBlur={() => setDraft(null)}
    />
  );
}

/** A word may be broken after a dash, a dot or an underscore, and nowhere else. */
export function Breakable({ children }: { children: string }) {
  const parts = children.split(/(?<=[-_.])/);
  return (
    <>
      {parts.map((part, index) => (
        <span key={index}>
          {index ? <wbr /> : null}
          {part}
        </span>
      ))}
    </>
  );
}

/** The channels of all sensors, former ones at the end. */
export const everyChannel = (state: State): Channel[] =>
  [...(state.sensors ?? []), ...state.former].flatMap((sensor: Sensor) => sensor.channels);

// What is chosen from and written into.

import type { InputHTMLAttributes } from "preact";
import { useState } from "preact/hooks";

/** A choice of a few words; each option is its value and what is shown of it. */
export function Choice<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: Value;
  options: readonly (readonly [Value, string])[];
  onChange: (value: Value) => void;
}) {
  const choose = (text: string) => {
    const chosen = options.find(([name]) => name === text);
    if (chosen) onChange(chosen[0]);
  };
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
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

/**
 * A day, YYYY-MM-DD. It counts once the field is left, or after Enter: Chrome tells of a change at every key, and while the year
 * is typed these are days of the years 2, 20 and 202.
 */
export function WrittenDay({ label, value, onWritten }: { label: string; value: string; onWritten: (value: string) => void }) {
  const [draft, setDraft] = useState<string | null>(null);
  const commit = () => {
    if (draft === null) return;
    setDraft(null);
    onWritten(draft);
  };
  return (
    <input
      type="date"
      aria-label={label}
      value={draft ?? value}
      onInput={(event) => setDraft(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") commit();
      }}
      onBlur={commit}
    />
  );
}

// The name of the person who makes a change: a field beside each form, remembered by the browser.

import { useState } from "preact/hooks";

const KEY = "sensorlogd.by";

const remembered = (): string => {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
};

/** Keep the name for the next form and the next visit. */
export const remember = (name: string): void => {
  try {
    localStorage.setItem(KEY, name);
  } catch {} // a browser that keeps nothing
};

/** A hook: the name, and how to change it. */
export const useYourName = () => useState(remembered);

/** The field. */
export function YourName({ name, set }: { name: string; set: (name: string) => void }) {
  return (
    <label class="choice">
      <span>Your name</span>
      <input type="text" maxLength={100} autocomplete="name" value={name} onInput={(event) => set(event.currentTarget.value)} />
    </label>
  );
}

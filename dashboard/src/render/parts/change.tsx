// A change that a form requests: it is under way, then it is said what came of it.

import { useState } from "preact/hooks";
import { ApiError } from "../../load/api";

/** A change of a form. */
export interface Requested {
  /** What the last one has come to, in words; null: nothing yet. */
  said: { words: string; bad: boolean } | null;
  /** One is under way. */
  busy: boolean;
  /** Begins one. `change` returns what it has come to, in words. */
  begin(change: () => Promise<string>): Promise<void>;
}

/** A hook: what is under way and what came of it, and a way to begin a change. `onMade`: after one that was made. */
export function useChange(onMade: () => void): Requested {
  const [said, setSaid] = useState<Requested["said"]>(null);
  const [busy, setBusy] = useState(false);

  async function begin(change: () => Promise<string>): Promise<void> {
    setBusy(true);
    setSaid(null);
    try {
      setSaid({ words: await change(), bad: false });
      onMade();
    } catch (error) {
      setSaid({ words: error instanceof ApiError ? error.message : String(error), bad: true });
    } finally {
      setBusy(false);
    }
  }
  return { said, busy, begin };
}

/** What is under way, or came of it, in words; screen readers say it. */
export const Outcome = ({ of: { said, busy } }: { of: Requested }) => (
  <p role="status" class={said?.bad ? "bad" : "good"}>
    {busy ? "Asking the daemon …" : (said?.words ?? "")}
  </p>
);

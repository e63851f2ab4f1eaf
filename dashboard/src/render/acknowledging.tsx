// The form that acknowledges alarms, with a note of what was found.

import { useState } from "preact/hooks";
import { ApiError } from "../load/api";
import { acknowledge } from "../load/changes";
import { ALL, choicesOf, isWaiting, nameOf } from "../state/alarms";
import type { State } from "../state/model";
import { plural } from "../state/words";
import { Choice } from "./parts/fields";
import { remember, useYourName, YourName } from "./yourname";

/** Shows nothing while no alarm waits to be acknowledged. */
export function Acknowledging({ state }: { state: State }) {
  const waiting = state.alarms.filter(isWaiting);
  const [chosen, setChosen] = useState(ALL);
  const [note, setNote] = useState("");
  const [by, setBy] = useYourName();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ words: string; bad: boolean } | null>(null);
  const outcome = (
    <p role="status" class={said?.bad ? "bad" : "good"}>
      {busy ? "Asking the daemon …" : (said?.words ?? "")}
    </p>
  );
  if (!waiting.length) return said ? outcome : null;
  if (!state.status?.changes) return <p class="unit">To say that you know: sensorlogd alarms ack NAME --note "what was found"</p>;

  const wanted = waiting.filter((alarm) => chosen === ALL || nameOf(alarm) === chosen);
  async function send(): Promise<void> {
    setBusy(true);
    try {
      const done = await acknowledge(wanted.map(nameOf), note, by);
      remember(by);
      setSaid({ words: `${plural(done, "alarm")} acknowledged`, bad: false });
      setNote("");
      setChosen(ALL);
    } catch (error) {
      setSaid({ words: error instanceof ApiError ? error.message : String(error), bad: true });
    } finally {
      setBusy(false);
    }
  }
  return (
    <form
      class="marking acknowledging"
      aria-label="Acknowledge"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <div class="tools">
        <Choice label="Which" value={chosen} options={choicesOf(waiting, chosen)} onChange={setChosen} />
        <label class="choice why">
          <span>What was found</span>
          <input type="text" maxLength={1000} value={note} onInput={(event) => setNote(event.currentTarget.value)} />
        </label>
        <YourName name={by} set={setBy} />
        <button type="submit" disabled={busy || !wanted.length}>
          Acknowledge
        </button>
      </div>
      {outcome}
    </form>
  );
}

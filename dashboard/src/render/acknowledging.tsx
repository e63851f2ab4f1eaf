// The form that acknowledges alarms, with a note of what was found.

import { useState } from "preact/hooks";
import { acknowledge } from "../load/changes";
import { ALL, choicesOf, isWaiting, nameOf } from "../state/alarms";
import type { State } from "../state/model";
import { plural } from "../state/words";
import { Outcome, useChange } from "./parts/change";
import { Choice } from "./parts/fields";
import { remember, useYourName, YourName } from "./yourname";

/** Shows nothing while no alarm waits to be acknowledged. */
export function Acknowledging({ state }: { state: State }) {
  const waiting = state.alarms.filter(isWaiting);
  const [chosen, setChosen] = useState(ALL);
  const [note, setNote] = useState("");
  const [by, setBy] = useYourName();
  const change = useChange(() => {
    remember(by);
    setNote("");
    setChosen(ALL);
  });
  if (!waiting.length) return change.busy || change.said ? <Outcome of={change} /> : null;
  if (!state.status?.changes) return <p class="unit">To say that you know: sensorlogd alarms ack NAME --note "what was found"</p>;

  const wanted = waiting.filter((alarm) => chosen === ALL || nameOf(alarm) === chosen);
  const send = async () => `${plural(await acknowledge(wanted.map(nameOf), note, by), "alarm")} acknowledged`;
  return (
    <form
      class="marking acknowledging"
      aria-label="Acknowledge"
      onSubmit={(event) => {
        event.preventDefault();
        void change.begin(send);
      }}
    >
      <div class="tools">
        <Choice label="Which" value={chosen} options={choicesOf(waiting, chosen)} onChange={setChosen} />
        <label class="choice why">
          <span>What was found</span>
          <input type="text" maxLength={1000} value={note} onInput={(event) => setNote(event.currentTarget.value)} />
        </label>
        <YourName name={by} set={setBy} />
        <button type="submit" disabled={change.busy || !wanted.length}>
          Acknowledge
        </button>
      </div>
      <Outcome of={change} />
    </form>
  );
}

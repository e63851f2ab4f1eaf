// The form below a chart in which a range is marked: flag it, or note what happened.

import { useState } from "preact/hooks";
import { type ChangeRequest, flag, note, QUALITIES, type Quality, undo } from "../../../load/changes";
import type { Range, State } from "../../../state/model";
import { plural, time } from "../../../state/words";
import type { Act } from "../../act";
import { Outcome, useChange } from "../../parts/change";
import { Choice } from "../../parts/fields";
import { remember, useYourName, YourName } from "../../yourname";
import { Moment } from "../tools";
import { Mends } from "./mends";

/** The form itself; `names`: the series of the chart, of which those that are drawn are meant unless they are unticked. */
export function Form({ state, act, names, marking }: { state: State; act: Act; names: readonly string[]; marking: Range }) {
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [quality, setQuality] = useState<Quality>("fail");
  const [why, setWhy] = useState("");
  const [by, setBy] = useYourName();
  const [made, setMade] = useState(0);
  const change = useChange(() => {
    remember(by);
    setMade((count) => count + 1);
    act.refreshChart();
  });
  const { busy, begin } = change;
  const { since, until } = marking;
  const { hidden } = state.route;
  const wanted = names.filter((name) => !off.has(name) && !hidden.includes(name));
  const of: ChangeRequest = { series: wanted, since, until, note: why, by };
  const writeNote = async () => {
    await note(of);
    setWhy("");
    return `noted at ${time(since, state.now)}`;
  };
  const ready = !busy && wanted.length > 0 && why.trim() !== "" && since < until;
  return (
    <form class="marking" onSubmit={(event) => event.preventDefault()}>
      <p class="unit">Drag over the picture to mark a part of it, or say from when to when.</p>
      <div class="tools">
        <Moment name="Mark from" at={since} onChosen={(at) => act.select({ since: at, until: Math.max(until, at + 1) })} />
        <Moment name="Mark to" at={until} onChosen={(at) => act.select({ since: Math.min(since, at - 1), until: at })} />
      </div>
      {names.length > 1 ? <Meant names={names} wanted={wanted} hidden={hidden} off={off} setOff={setOff} /> : null}
      <div class="tools">
        <label class="choice why">
          <span>Why, or what happened</span>
          <input type="text" maxLength={1000} value={why} onInput={(event) => setWhy(event.currentTarget.value)} />
        </label>
        <YourName name={by} set={setBy} />
        <Choice
          label="Quality"
          value={quality}
          options={QUALITIES.map((quality) => [quality, quality] as const)}
          onChange={setQuality}
        />
        <button type="button" disabled={!ready} onClick={() => void begin(() => flagged(of, quality))}>
          Flag
        </button>
        <button type="button" disabled={!ready} onClick={() => void begin(writeNote)}>
          Note
        </button>
      </div>
      <Outcome of={change} />
      <Mends
        names={names}
        marking={marking}
        made={made}
        busy={busy}
        now={state.now}
        onUndo={(mend) => void begin(() => undone(mend.mend))}
      />
    </form>
  );
}

/** Which series are meant; hidden ones are not. */
function Meant({
  names,
  wanted,
  hidden,
  off,
  setOff,
}: {
  names: readonly string[];
  wanted: readonly string[];
  hidden: readonly string[];
  off: ReadonlySet<string>;
  setOff: (off: ReadonlySet<string>) => void;
}) {
  return (
    <fieldset>
      <legend>Series</legend>
      {names.map((series) => (
        <label key={series}>
          <input
            type="checkbox"
            checked={wanted.includes(series)}
            disabled={hidden.includes(series)}
            onChange={() => setOff(new Set(off.has(series) ? [...off].filter((name) => name !== series) : [...off, series]))}
          />{" "}
          {series}
        </label>
      ))}
    </fieldset>
  );
}

/** Flag a range; returns what came of it. Throws ApiError. */
async function flagged(of: ChangeRequest, quality: Quality): Promise<string> {
  const { mends: mended, refused } = await flag(of, quality);
  const readings = mended.reduce((sum, mend) => sum + mend.readings, 0);
  const rest = mended.every((mend) => mend.done) ? "" : "; the daemon goes on with it";
  const not = refused.map(({ series, message }) => `; ${series} not: ${message}`).join("");
  return `${plural(readings, "reading")} of ${plural(mended.length, "series", "series")} flagged ${quality}${rest}${not}`;
}

/** Take back a change; returns what came of it. Throws ApiError. */
async function undone(mend: number): Promise<string> {
  const { readings } = await undo(mend);
  return `${plural(readings, "reading is", "readings are")} what ${readings === 1 ? "it was" : "they were"}`;
}

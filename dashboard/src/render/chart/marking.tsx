// A range that is marked: flag it, note what happened, take a flag back; or the commands for a shell.

import { useEffect, useState } from "preact/hooks";
import { ApiError, iso } from "../../load/api";
import { flag, type Marked, mends, note, QUALITIES, undo } from "../../load/changes";
import type { Mend } from "../../load/types";
import type { ChartData, Range, State } from "../../state/model";
import { seriesOf } from "../../state/series";
import { plural, span, time } from "../../state/words";
import type { Act } from "../act";
import { Choice } from "../parts/fields";
import { remember, useYourName, YourName } from "../yourname";
import { Moment } from "./tools";

/** Folded below the charts. While it is open a range is marked, the whole chart at first. */
export function Marking({ state, act, data }: { state: State; act: Act; data: ChartData }) {
  const names = data.series.map((buckets) => seriesOf(buckets));
  const { marking } = state;
  return (
    <details
      class="commands"
      onToggle={(event) => act.mark(event.currentTarget.open ? (marking ?? { since: data.since, until: data.until }) : null)}
    >
      <summary>Flag, note or export this range</summary>
      {marking === null ? null : state.status?.changes ? (
        <Form key={names.join()} state={state} act={act} names={names} marking={marking} />
      ) : (
        <p class="unit">
          Nothing may be changed from these pages; web: {"{"}changes: true{"}"} in the configuration allows it. In a shell:
        </p>
      )}
      {marking === null ? null : <Commands names={names} marking={marking} />}
    </details>
  );
}

function Form({ state, act, names, marking }: { state: State; act: Act; names: readonly string[]; marking: Range }) {
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [quality, setQuality] = useState<string>("fail");
  const [why, setWhy] = useState("");
  const [by, setBy] = useYourName();
  const [said, setSaid] = useState<{ words: string; bad: boolean } | null>(null);
  const [busy, setBusy] = useState(false);
  const [known, setKnown] = useState<readonly Mend[]>([]);
  const { since, until } = marking;
  const wanted = names.filter((name) => !off.has(name) && !state.hidden.has(name));
  const of: Marked = { series: wanted, since, until, note: why, by };
  const askMends = () => void mends(names, since, until).then(setKnown, () => setKnown([]));
  useEffect(askMends, [since, until]);

  async function run(act_: () => Promise<string>): Promise<void> {
    setBusy(true);
    setSaid(null);
    try {
      setSaid({ words: await act_(), bad: false });
      remember(by);
      askMends();
      act.refreshChart();
    } catch (error) {
      setSaid({ words: error instanceof ApiError ? error.message : String(error), bad: true });
    } finally {
      setBusy(false);
    }
  }
  const doFlag = () =>
    run(async () => {
      const flagged = await flag(of, quality);
      const readings = flagged.reduce((sum, mended) => sum + mended.readings, 0);
      return `${plural(readings, "reading")} of ${plural(flagged.length, "series", "series")} flagged ${quality}${flagged.every((mended) => mended.done) ? "" : "; the daemon goes on with it"}`;
    });
  const doNote = () =>
    run(async () => {
      await note(of);
      setWhy("");
      return `noted at ${time(since, state.now)}`;
    });
  const ready = !busy && wanted.length > 0 && why.trim() !== "" && since < until;
  return (
    <form class="marking" onSubmit={(event) => event.preventDefault()}>
      <p class="unit">Drag over the picture to mark a part of it, or say from when to when.</p>
      <div class="tools">
        <Moment name="Mark from" at={since} onChosen={(at) => act.mark({ since: at, until: Math.max(until, at + 1) })} />
        <Moment name="Mark to" at={until} onChosen={(at) => act.mark({ since: Math.min(since, at - 1), until: at })} />
      </div>
      {names.length > 1 ? (
        <fieldset>
          <legend>Series</legend>
          {names.map((series) => (
            <label key={series}>
              <input
                type="checkbox"
                checked={wanted.includes(series)}
                disabled={state.hidden.has(series)}
                onChange={() => setOff(new Set(off.has(series) ? [...off].filter((name) => name !== series) : [...off, series]))}
              />{" "}
              {series}
            </label>
          ))}
        </fieldset>
      ) : null}
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
        <button type="button" disabled={!ready} onClick={() => void doFlag()}>
          Flag
        </button>
        <button type="button" disabled={!ready} onClick={() => void doNote()}>
          Note
        </button>
      </div>
      <p role="status" class={said?.bad ? "bad" : "good"}>
        {busy ? "Asking the daemon …" : (said?.words ?? "")}
      </p>
      {known.length ? (
        <ul class="plain mends" aria-label="Changed in this range">
          {known.map((mend) => (
            <li key={mend.mend} data-mend={mend.mend}>
              {mend.series} {mend.what}: {plural(mend.readings, "reading")}, {span(mend.since, mend.until, state.now)};{" "}
              {mend.note} ({mend.state}){" "}
              {mend.state.startsWith("taken back") || mend.state.startsWith("being") ? null : (
                <button
                  type="button"
                  disabled={busy}
                  aria-label={`Undo ${mend.what} of ${mend.series}, number ${mend.mend}`}
                  onClick={() =>
                    void run(async () => {
                      const { readings } = await undo(mend.mend);
                      return `${plural(readings, "reading is", "readings are")} what ${readings === 1 ? "it was" : "they were"}`;
                    })
                  }
                >
                  Undo
                </button>
              )}
            </li>
          ))}
        </ul>
      ) : null}
    </form>
  );
}

/** For a shell. */
function Commands({ names, marking }: { names: readonly string[]; marking: Range }) {
  const range = `--since ${iso(marking.since)} --until ${iso(marking.until)}`;
  return (
    <>
      <pre>
        {names
          .map((name) => `sensorlogd flag ${name} fail ${range} --note "why"\n`)
          .concat(
            names.slice(0, 1).map((name) => `sensorlogd note ${name} "what happened" --at ${iso(marking.since)}\n`),
            `sensorlogd export ${names.join(" ")} ${range} -o range.csv`,
          )
          .join("")}
      </pre>
      <p class="unit">Flagged readings are left out of means and stay in the log; a flag can be taken back.</p>
    </>
  );
}

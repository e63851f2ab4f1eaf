// What was changed in the range that is marked, each with a button that takes it back.

import { useEffect, useState } from "preact/hooks";
import { askMends, type KnownMends } from "../../../load/mends";
import type { Mend } from "../../../load/types";
import type { Range } from "../../../state/model";
import { plural, span } from "../../../state/words";

interface Props {
  names: readonly string[];
  marking: Range;
  /** Counts the changes that were made from this page: the list is asked for again after each. */
  made: number;
  /** A change is being made. */
  busy: boolean;
  now: number;
  onUndo: (mend: Mend) => void;
}

/** The list; a sentence instead of it where it could not be asked for; nothing where nothing was changed. */
export function Mends({ names, marking, made, busy, now, onUndo }: Props) {
  const [known, setKnown] = useState<KnownMends>({ mends: [], failure: "" });
  const [again, setAgain] = useState(0);
  const { since, until } = marking;
  useEffect(() => {
    let outdated = false;
    void askMends(names, since, until).then((answer) => {
      if (!outdated) setKnown(answer);
    });
    return () => {
      outdated = true;
    };
  }, [names.join(), since, until, made, again]);
  if (known.failure)
    return (
      <p class="warn" role="alert">
        What was changed in this range is not known: {known.failure}{" "}
        <button type="button" onClick={() => setAgain(again + 1)}>
          Ask again
        </button>
      </p>
    );
  if (!known.mends.length) return null;
  return (
    <ul class="plain mends" aria-label="Changed in this range">
      {known.mends.map((mend) => (
        <li key={mend.mend} data-mend={mend.mend}>
          {mend.series} {mend.what}: {plural(mend.readings, "reading")}, {span(mend.since, mend.until, now)}; {mend.note} (
          {mend.state}){" "}
          {mayBeUndone(mend) ? (
            <button
              type="button"
              disabled={busy}
              aria-label={`Undo ${mend.what} of ${mend.series}, number ${mend.mend}`}
              onClick={() => onUndo(mend)}
            >
              Undo
            </button>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

/** It was not taken back yet, and no change is going on with it. */
const mayBeUndone = ({ state }: Mend): boolean => !state.startsWith("taken back") && !state.startsWith("being");

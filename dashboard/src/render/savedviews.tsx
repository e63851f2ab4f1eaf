// Saved views: what is shown now gets a name; all who look here find it.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { address, ask } from "../load/api";
import { removeView, saveView } from "../load/changes";
import { oneAtATime } from "../load/questions/oneatatime";
import type { Panel as SavedView } from "../load/types";
import type { State } from "../state/model";
import { viewsOf } from "../state/pages/savedviews";
import { write } from "../state/route";

/** Requests a change, then asks for the list anew; a fault of either is shown. */
type Change = (request: () => Promise<void>) => Promise<void>;

/** The list of saved views, with forms to save, delete, export and import. */
export function SavedViews({ state }: { state: State }) {
  const [known, setKnown] = useState<readonly SavedView[] | null>(null);
  const [wrong, setWrong] = useState("");
  const [list] = useState(() =>
    oneAtATime(() =>
      ask("panels").then(
        (answer) => setKnown(answer.panels),
        (error) => setWrong(String(error.message)),
      ),
    ),
  );
  const here = write({ ...state.route, kiosk: false });
  const may = state.status?.changes === true;

  const change: Change = async (request) => {
    try {
      await request();
      setWrong("");
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
    await list();
  };
  return (
    <details class="saved-views" onToggle={(event) => (event.currentTarget.open ? void change(async () => {}) : null)}>
      <summary>Saved views</summary>
      {known?.length ? (
        <Views known={known} here={here} change={may ? change : null} />
      ) : known ? (
        <p class="unit">None yet.</p>
      ) : null}
      <Saving here={here} change={may ? change : null}>
        {known?.length ? (
          <a class="button" download="panels.json" href={address("panels")}>
            Export
          </a>
        ) : null}
      </Saving>
      {wrong ? (
        <p role="alert" class="bad">
          {wrong}
        </p>
      ) : null}
    </details>
  );
}

interface ViewsProps {
  known: readonly SavedView[];
  /** The view that is shown now. */
  here: string;
  /** Null: nothing may be changed from this page. */
  change: Change | null;
}

/** A link to each view, with a button that deletes it. */
const Views = ({ known, here, change }: ViewsProps) => (
  <ul class="plain">
    {known.map((view) => (
      <li key={view.name} data-view={view.name}>
        <a href={view.view} aria-current={view.view === here ? "page" : undefined}>
          {view.name}
        </a>{" "}
        {change ? (
          <button type="button" aria-label={`Delete ${view.name}`} onClick={() => void change(() => removeView(view.name))}>
            Delete
          </button>
        ) : null}
      </li>
    ))}
  </ul>
);

interface SavingProps {
  here: string;
  change: Change | null;
  /** What stands beside the form in any case. */
  children: ComponentChildren;
}

/** The form that saves the view that is shown now, or takes those of a file. */
function Saving({ here, change, children }: SavingProps) {
  const [name, setName] = useState("");
  if (!change)
    return (
      <div class="tools">
        <span class="unit">Nothing may be changed from these pages (web: changes).</span>
        {children}
      </div>
    );
  const save = () =>
    change(async () => {
      await saveView(name, here);
      setName("");
    });
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) void save();
      }}
    >
      <label class="choice">
        <span>Name</span>
        <input type="text" maxLength={80} value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={!name.trim()}>
        Save this view
      </button>
      <Import change={change} />
      {children}
    </form>
  );
}

/** Saves the views of a file that *Export* has written. */
function Import({ change }: { change: Change }) {
  const take = (file: File | undefined) =>
    change(async () => {
      for (const view of file ? viewsOf(await file.text()) : []) await saveView(view.name, view.view);
    });
  return (
    <label class="choice">
      <span>Import a file</span>
      <input
        type="file"
        accept="application/json,.json"
        onChange={(event) => {
          const { currentTarget } = event;
          void take(currentTarget.files?.[0]).then(() => {
            currentTarget.value = ""; // the same file may be chosen again
          });
        }}
      />
    </label>
  );
}

// Saved views: what is shown now gets a name; all who look here find it.

import { useState } from "preact/hooks";
import { address, ask } from "../load/api";
import { removeView, saveView } from "../load/changes";
import type { Panel as SavedView } from "../load/types";
import type { State } from "../state/model";
import { write } from "../state/route";
import { viewsOf } from "../state/savedviews";

/** The list of saved views, with forms to save, delete, export and import. */
export function SavedViews({ state }: { state: State }) {
  const [known, setKnown] = useState<readonly SavedView[] | null>(null);
  const [name, setName] = useState("");
  const [wrong, setWrong] = useState("");
  const here = write({ ...state.route, kiosk: false });
  const may = state.status?.changes === true;

  async function run(what: () => Promise<void>): Promise<void> {
    try {
      await what();
      setWrong("");
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
    await ask("panels").then(
      (answer) => setKnown(answer.panels),
      (error) => setWrong(String(error.message)),
    );
  }
  const save = () =>
    run(async () => {
      await saveView(name, here);
      setName("");
    });
  const take = (file: File | undefined) =>
    run(async () => {
      for (const view of file ? viewsOf(await file.text()) : []) await saveView(view.name, view.view);
    });
  return (
    <details class="saved-views" onToggle={(event) => (event.currentTarget.open ? void run(async () => {}) : null)}>
      <summary>Saved views</summary>
      {known?.length ? (
        <ul class="plain">
          {known.map((view) => (
            <li key={view.name} data-view={view.name}>
              <a href={view.view} aria-current={view.view === here ? "page" : undefined}>
                {view.name}
              </a>{" "}
              {may ? (
                <button type="button" aria-label={`Delete ${view.name}`} onClick={() => void run(() => removeView(view.name))}>
                  Delete
                </button>
              ) : null}
            </li>
          ))}
        </ul>
      ) : known ? (
        <p class="unit">None yet.</p>
      ) : null}
      <form
        class="tools"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) void save();
        }}
      >
        {may ? (
          <>
            <label class="choice">
              <span>Name</span>
              <input type="text" maxLength={80} value={name} onInput={(event) => setName(event.currentTarget.value)} />
            </label>
            <button type="submit" disabled={!name.trim()}>
              Save this view
            </button>
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
          </>
        ) : (
          <span class="unit">Nothing may be changed from these pages (web: changes).</span>
        )}
        {known?.length ? (
          <a class="button" download="panels.json" href={address("panels")}>
            Export
          </a>
        ) : null}
      </form>
      {wrong ? (
        <p role="alert" class="bad">
          {wrong}
        </p>
      ) : null}
    </details>
  );
}

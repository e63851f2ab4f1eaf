// Saved views as a file: what another dashboard exported, read back.

/** A saved view: its name, and the part of an address behind #. */
export interface SavedView {
  name: string;
  view: string;
}

/** The daemon keeps no more saved views than this. */
const MOST = 200;

/** Throws an Error that says what is wrong with the file. */
export function viewsOf(text: string): SavedView[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error("this file is not JSON; take one that Export has written");
  }
  const listed = (parsed as { panels?: unknown } | null)?.panels;
  if (!Array.isArray(listed)) throw new Error('this file has no "panels"; take one that Export has written');
  if (listed.length > MOST) throw new Error(`this file has ${listed.length} views; at most ${MOST} are taken`);
  return listed.map((item: Partial<SavedView> | null, at) => {
    if (typeof item?.name !== "string" || typeof item.view !== "string")
      throw new Error(`view ${at + 1} of this file has no name or no view; nothing was taken`);
    return { name: item.name, view: item.view };
  });
}

// What a chart page shows, and its permalink: everything is in the part of the address behind #.

export interface View {
  series: string[];
  range: number; // seconds; the view ends now while ``until`` is null
  until: number | null; // seconds since 1970
}

export const PRESETS: readonly (readonly [string, number])[] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["6 h", 21600],
  ["1 d", 86400],
  ["7 d", 604800],
  ["30 d", 2592000],
  ["1 y", 31536000],
];
const SHORTEST = 1;
const LONGEST = 100 * 31536000;

export function read(hash: string): View {
  const query = new URLSearchParams(hash.split("?")[1] ?? "");
  const since = Number(query.get("since"));
  const until = query.get("until") === null ? null : Number(query.get("until"));
  const range = until !== null ? until - since : Number(query.get("range") ?? 21600);
  const sound = Number.isFinite(range) && range >= SHORTEST && range <= LONGEST;
  return { series: query.getAll("s"), range: sound ? range : 21600, until: sound && until !== null && Number.isFinite(until) ? until : null };
}

export function write(view: View): string {
  const query = new URLSearchParams();
  for (const name of view.series) query.append("s", name);
  if (view.until === null) query.set("range", String(Math.round(view.range)));
  else {
    query.set("since", (view.until - view.range).toFixed(3));
    query.set("until", view.until.toFixed(3));
  }
  return `#/chart?${query}`;
}

export function bounds(view: View): [number, number] {
  const until = view.until ?? Date.now() / 1000;
  return [until - view.range, until];
}

export function between(view: View, since: number, until: number): View {
  const range = Math.min(Math.max(until - since, SHORTEST), LONGEST);
  return { ...view, range, until: since + range };
}

export function zoomed(view: View, factor: number, around?: number): View {
  const [since, until] = bounds(view);
  const at = around ?? (since + until) / 2;
  if (view.until === null && around === undefined) return { ...view, range: Math.min(Math.max(view.range * factor, 10), LONGEST) };
  return between(view, at - (at - since) * factor, at + (until - at) * factor);
}

export function moved(view: View, share: number): View {
  const [since, until] = bounds(view);
  const by = view.range * share;
  return until + by >= Date.now() / 1000 ? { ...view, until: null } : between(view, since + by, until + by);
}

// Where the page is: everything that is shown can be told by the part of the address behind #, so that it can be sent to others.

/** The pages, as the address names them; the overview has no name there. */
export type PageName = "overview" | "sensor" | "chart" | "events" | "alarms" | "use" | "year" | "rose" | "database";

/** What an address says. */
export interface Route {
  page: PageName;
  /** Of the page "sensor". */
  sensor: string;
  /** Names or globs. */
  series: string[];
  /** Names of series of a chart that are not drawn; their legend is there, to show them again. */
  hidden: string[];
  /** Seconds; the view ends now while `until` is null. */
  range: number;
  /** Seconds since 1970. */
  until: number | null;
  /** The period before is drawn, too. */
  compare: boolean;
  /** Counters as their sum, not as a rate. */
  totals: boolean;
  kiosk: boolean;
  /** What only one page knows: search, group, by, price, year ... */
  more: Record<string, string>;
}

/** The ranges that can be chosen, in seconds. */
export const PRESETS: readonly (readonly [string, number])[] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["6 h", 21600],
  ["1 d", 86400],
  ["7 d", 604800],
  ["30 d", 2592000],
  ["1 y", 31536000],
];
const PAGES: readonly PageName[] = ["sensor", "chart", "events", "alarms", "use", "year", "rose", "database"];
const SHORTEST_S = 1;
/** A live view is not zoomed to less: it would be empty between two readings of most sensors. */
const SHORTEST_LIVE_S = 10;
const LONGEST_S = 100 * 31536000;
/** Later times, in seconds since 1970, cannot be written in a question: the year 9999 ends there. */
export const END_OF_TIME_S = 253_402_300_799;
const USUAL_S = 21600;
const OWN = new Set(["s", "hide", "range", "since", "until", "compare", "totals", "kiosk"]);

/** The route of an address that says nothing. */
export const START: Route = {
  page: "overview",
  sensor: "",
  series: [],
  hidden: [],
  range: USUAL_S,
  until: null,
  compare: false,
  totals: false,
  kiosk: false,
  more: {},
};

/**
 * The route that the part of an address behind # names; what is missing or wrong in it is as in START. A view with an end
 * (`until`) begins at `since`, or, without that, as long before its end as `range` says.
 */
export function read(hash: string): Route {
  const [path = ""] = hash.replace(/^#\/?/, "").split("?");
  const query = new URLSearchParams(hash.includes("?") ? hash.slice(hash.indexOf("?")) : ""); // another ? may stand in a value
  const [first = "", ...rest] = path.split("/");
  const page = PAGES.find((known) => known === first) ?? "overview";
  const [since, until] = [numberIn(query, "since"), numberIn(query, "until")];
  const range = until !== null && since !== null ? until - since : (numberIn(query, "range") ?? USUAL_S);
  const sound = range >= SHORTEST_S && range <= LONGEST_S && Math.abs(until ?? 0) <= END_OF_TIME_S;
  return {
    page,
    sensor: decoded(rest.join("/")),
    series: query.getAll("s"),
    hidden: query.getAll("hide"),
    range: sound ? range : USUAL_S,
    until: sound ? until : null,
    compare: query.get("compare") === "1",
    totals: query.get("totals") === "1",
    kiosk: query.get("kiosk") === "1",
    more: Object.fromEntries([...query].filter(([name]) => !OWN.has(name))),
  };
}

/** The number that a parameter holds; null: it is missing, empty or no finite number. */
function numberIn(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)?.trim();
  const number = Number(text);
  return text && Number.isFinite(number) ? number : null;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The part of the address for a route, from which `read` makes the route again. */
export function write(route: Route): string {
  const query = new URLSearchParams();
  for (const name of route.series) query.append("s", name);
  for (const name of route.hidden) query.append("hide", name);
  if (route.until !== null) {
    query.set("since", (route.until - route.range).toFixed(3));
    query.set("until", route.until.toFixed(3));
  } else if (route.page === "chart" || route.range !== USUAL_S) query.set("range", String(Math.round(route.range)));
  for (const name of ["compare", "totals", "kiosk"] as const) if (route[name]) query.set(name, "1");
  for (const [name, value] of Object.entries(route.more)) if (value) query.set(name, value);
  const path = route.page === "overview" ? "" : route.page + (route.sensor ? `/${encodeURIComponent(route.sensor)}` : "");
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

/** A link to a page with nothing else chosen. */
export const to = (page: PageName, how: Partial<Route> = {}): string => write({ ...START, page, ...how });

/** The route with one of its series hidden, or shown again if it was hidden. */
export function toggled(route: Route, series: string): Route {
  const others = route.hidden.filter((name) => name !== series);
  return { ...route, hidden: others.length < route.hidden.length ? others : [...others, series] };
}

/** The route with these series, by their names; what is hidden of them stays so. */
export const picked = (route: Route, series: string[]): Route => ({
  ...route,
  series,
  hidden: route.hidden.filter((name) => series.includes(name)),
});

/** From when to when the view of a route reaches, in seconds since 1970. */
export function bounds(route: Route, now: number): [number, number] {
  const until = route.until ?? now;
  return [until - route.range, until];
}

/** The route with a fixed view from `since` on, at least SHORTEST_S and at most LONGEST_S seconds long. */
export function between(route: Route, since: number, until: number): Route {
  const range = Math.min(Math.max(until - since, SHORTEST_S), LONGEST_S);
  return { ...route, range, until: since + range };
}

/** The route with its range times `factor`, around a time (the middle by default). Without `around` a live view stays live. */
export function zoomed(route: Route, now: number, factor: number, around?: number): Route {
  const [since, until] = bounds(route, now);
  const at = around ?? (since + until) / 2;
  if (route.until === null && around === undefined)
    return { ...route, range: Math.min(Math.max(route.range * factor, SHORTEST_LIVE_S), LONGEST_S) };
  return between(route, at - (at - since) * factor, at + (until - at) * factor);
}

/** The route moved by a share of its range, later if that is positive; a view that would reach beyond now ends now. */
export function moved(route: Route, now: number, share: number): Route {
  const [since, until] = bounds(route, now);
  const by = route.range * share;
  return until + by >= now ? { ...route, until: null } : between(route, since + by, until + by);
}

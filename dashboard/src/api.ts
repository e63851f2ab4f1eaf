// What the API answers, and how it is asked. Paths are relative: the page may lie behind a proxy's prefix.

export interface Channel {
  series: string;
  channel: string;
  unit: string;
  kind: string;
  heartbeat_s: number;
  retired: number | string | null;
}

export interface Sensor {
  sensor: string;
  health: string;
  last: number | null;
  age_s: number | null;
  error: string | null;
  channels: Channel[];
}

export interface Latest {
  time: number;
  sensor: string;
  channel: string;
  value: number | null;
  unit: string;
  quality: string;
  age_s: number;
  state: string;
}

export interface Buckets {
  sensor: string;
  channel: string;
  unit: string;
  kind: string;
  step: string;
  since: number;
  until: number;
  source: string;
  resolution: string;
  notes: string[];
  time: number[];
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  count: number[];
  coverage: number[];
}

export interface LogEvent {
  id: number;
  time: number;
  kind: string;
  sensor: string | null;
  detail: string;
}

export interface Status {
  daemon: Record<string, number | string | boolean | null>;
  database: { path: string; bytes: number; wal_bytes: number };
  config_errors: string[];
}

export class ApiError extends Error {}

type Query = Record<string, string | number | readonly string[]>;

export function address(path: string, query: Query = {}): string {
  const url = new URL(`api/v1/${path}`, document.baseURI.split("#")[0]);
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  return url.toString();
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(address(path, { time: "s", ...query }), { signal: signal ?? null, headers: { Accept: "application/json" } });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("sensorlogd does not answer. Trying again.");
  }
  if (answer.status === 401 || answer.status === 403) {
    location.reload(); // the login page is the server's
    throw new ApiError("Please sign in again.");
  }
  const body = (await answer.json().catch(() => null)) as { error?: { message: string; hint?: string } } | null;
  if (!answer.ok) throw new ApiError([body?.error?.message ?? `status ${answer.status}`, body?.error?.hint].filter(Boolean).join("; "));
  return body as T;
}

export const sensors = (signal?: AbortSignal) => get<{ sensors: Sensor[] }>("sensors", {}, signal).then((found) => found.sensors);
// Former series too, and those that were imported: they have a past to look at.
export const everything = (signal?: AbortSignal) => get<{ sensors: Sensor[] }>("sensors", { retired: "1" }, signal).then((found) => found.sensors);
export const latest = (signal?: AbortSignal) => get<{ latest: Latest[] }>("latest", {}, signal).then((found) => found.latest);
export const status = (signal?: AbortSignal) => get<Status>("status", {}, signal);

export const events = (query: Query, signal?: AbortSignal) => get<{ events: LogEvent[] }>("events", query, signal).then((found) => found.events);

export function bucketQuery(series: readonly string[], since: number, until: number, points: number): Query {
  return { series, since: since.toFixed(3).replace(/\.?0+$/, ""), until: until.toFixed(3).replace(/\.?0+$/, ""), max_points: points };
}

export const buckets = (series: readonly string[], since: number, until: number, points: number, signal?: AbortSignal) =>
  get<{ series: Buckets[] }>("buckets", { ...seconds(bucketQuery(series, since, until, points)), shape: "columns" }, signal).then((found) => found.series);

// Times of a query as RFC 3339: plain numbers would have to have nine digits at least.
export function seconds(query: Query): Query {
  const iso = (name: string) => new Date(Number(query[name]) * 1000).toISOString();
  return { ...query, since: iso("since"), until: iso("until") };
}

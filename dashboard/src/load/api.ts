// Requests to the API. Addresses are relative: the page may lie behind a proxy's prefix.

import type { Answers, Changes, Error as Refusal } from "./types";

/** The message is for people; `code` and `status` are for the page. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly code = "",
    readonly status = 0,
  ) {
    super(message);
  }
}

/** Parameters of a request; a list repeats its name. */
export type Query = Record<string, string | number | readonly string[]>;

/** The address of an endpoint, with its parameters, seen from the page. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(`api/v1/${path}`, document.baseURI.split("#")[0]);
  for (const [name, value] of Object.entries(query))
    for (const item of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(item));
  return url.toString();
}

/** What the server has answered. `body`: as JSON; undefined: it is none, or was cut off. */
export interface Reply {
  status: number;
  ok: boolean;
  body: unknown;
}

/** Throws ApiError; an AbortError is passed on as it is. */
export async function ask<K extends keyof Answers>(path: K, query: Query = {}, signal?: AbortSignal): Promise<Answers[K]> {
  return (await json(fetched(path, query, signal))) as Answers[K];
}

/** The same question, only sent; the answer is for `json`. */
export const fetched = (path: keyof Answers, query: Query = {}, signal?: AbortSignal): Promise<Reply> =>
  within(away(), signal, (own) =>
    fetch(address(path, { time: "s", ...query }), { signal: own, headers: { Accept: "application/json" } }),
  );

/** Requests a change; returns the answer. Throws ApiError. */
export async function send<K extends keyof Changes>(path: K, body: Changes[K]["body"]): Promise<Changes[K]["answer"]> {
  const answer = within(notKnown(), undefined, (own) =>
    fetch(address(path), {
      method: "POST",
      signal: own,
      headers: { Accept: "application/json", "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  return (await json(answer)) as Changes[K]["answer"];
}

/**
 * A request is given up after so long, and counts as not answered: the server itself gives up far sooner. A connection that was cut
 * without a word would keep a question open for a quarter of an hour, and with it all that waits for its answer.
 */
const GIVEN_UP_MS = 120_000;

/** Makes a request and reads its answer to the end. It is aborted by `signal`, or given up: then `givenUp` is thrown. */
async function within(
  givenUp: ApiError,
  signal: AbortSignal | undefined,
  request: (signal: AbortSignal) => Promise<Response>,
): Promise<Reply> {
  const own = new AbortController();
  const abort = () => own.abort(signal?.reason);
  const timer = window.setTimeout(() => own.abort(givenUp), GIVEN_UP_MS);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await read(request(own.signal));
  } finally {
    window.clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

const away = (): ApiError => new ApiError("sensorlogd does not answer", "away");
const notKnown = (): ApiError => new ApiError("no answer came; whether it was done is not known, look below", "away");

/** Reads an answer to its end. */
export async function read(asked: Promise<Response>): Promise<Reply> {
  const answer = await asked;
  return { status: answer.status, ok: answer.ok, body: await answer.json().catch(notWhole) };
}

/** What a question is answered with. Throws ApiError; an AbortError is passed on as it is. */
export async function json(asked: Promise<Reply>): Promise<unknown> {
  let answer: Reply;
  try {
    answer = await asked;
  } catch (error) {
    if (isOwn(error)) throw error;
    throw away();
  }
  if (answer.status === 401) signIn();
  if (answer.ok && answer.body === undefined)
    throw new ApiError("the answer of sensorlogd did not arrive whole", "away", answer.status);
  if (answer.ok) return answer.body;
  const refusal = (answer.body as Partial<Refusal> | undefined)?.error;
  throw new ApiError(
    [refusal?.message ?? `status ${answer.status}`, refusal?.hint].filter(Boolean).join("; "),
    refusal?.code,
    answer.status,
  );
}

/** Whether the page itself has ended a request: it was aborted, or given up. */
const isOwn = (error: unknown): boolean => error instanceof ApiError || (error as Error).name === "AbortError";

/** For a body that is no JSON, or was cut off; what the page itself has ended is passed on. */
function notWhole(error: unknown): undefined {
  if (isOwn(error)) throw error;
}

/** A page is loaded again so often at most, to sign in: behind a proxy that denies a part of the API it would be loaded for ever. */
const LOADED_EACH_MS = 60_000;

/** Reload, so that the server shows its login page, unless this page was loaded just now. Throws ApiError. */
export function signIn(): never {
  if (performance.now() > LOADED_EACH_MS) location.reload();
  throw new ApiError("Please sign in again.", "token_needed", 401);
}

/** A time of a query as RFC 3339: the API takes a plain number only if it has nine digits or more. */
export const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

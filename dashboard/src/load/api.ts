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

/** Throws ApiError; an AbortError is passed on as it is. */
export async function ask<K extends keyof Answers>(path: K, query: Query = {}, signal?: AbortSignal): Promise<Answers[K]> {
  return (await json(fetched(path, query, signal))) as Answers[K];
}

/** The same question, only sent. */
export const fetched = (path: keyof Answers, query: Query = {}, signal?: AbortSignal): Promise<Response> =>
  fetch(address(path, { time: "s", ...query }), { signal: limited(signal), headers: { Accept: "application/json" } });

/**
 * A question is given up after so long, and counts as not answered: the server itself gives up far sooner. A connection that was cut
 * without a word would keep a question open for a quarter of an hour, and with it all that waits for its answer.
 */
const GIVEN_UP_MS = 120_000;

/** The signal of a question that is aborted by `signal`, or given up. */
function limited(signal?: AbortSignal): AbortSignal {
  const own = new AbortController();
  const timer = window.setTimeout(() => own.abort(away()), GIVEN_UP_MS);
  const abort = () => {
    window.clearTimeout(timer);
    own.abort(signal?.reason);
  };
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return own.signal;
}

const away = (): ApiError => new ApiError("sensorlogd does not answer", "away");

/** Request a change; returns the answer. Throws ApiError. */
export async function send<K extends keyof Changes>(path: K, body: Changes[K]["body"]): Promise<Changes[K]["answer"]> {
  const answer = fetch(address(path), {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await json(answer)) as Changes[K]["answer"];
}

/** What a question is answered with. Throws ApiError; an AbortError is passed on as it is. */
export async function json(asked: Promise<Response>): Promise<unknown> {
  let answer: Response;
  try {
    answer = await asked;
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw away();
  }
  if (answer.status === 401) signIn();
  const body = (await answer.json().catch(notWhole)) as Partial<Refusal> | undefined;
  if (answer.ok && body === undefined) throw new ApiError("the answer of sensorlogd did not arrive whole", "away", answer.status);
  if (answer.ok) return body;
  const refusal = body?.error;
  throw new ApiError(
    [refusal?.message ?? `status ${answer.status}`, refusal?.hint].filter(Boolean).join("; "),
    refusal?.code,
    answer.status,
  );
}

/** For a body that is no JSON, or was cut off; an AbortError is passed on. */
function notWhole(error: unknown): undefined {
  if ((error as Error).name === "AbortError") throw error;
}

/** Reload, so that the server shows its login page. */
export function signIn(): never {
  location.reload();
  throw new ApiError("Please sign in again.", "token_needed", 401);
}

/** A time of a query as RFC 3339: the API takes a plain number only if it has nine digits or more. */
export const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

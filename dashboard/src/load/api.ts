// How the API is asked. Addresses are relative: the page may lie behind a proxy's prefix.

import { type Answers, PARAMETERS } from "./types";

/** Words for people; `code` and `status` for the page. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly code = "",
    readonly status = 0,
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | readonly string[]>;

/** Whether this server has the endpoint, and knows the parameter. */
export const knows = (endpoint: string, parameter?: string): boolean =>
  PARAMETERS[endpoint] !== undefined && (parameter === undefined || PARAMETERS[endpoint].includes(parameter));

export function address(path: string, query: Query = {}): string {
  const url = new URL(`api/v1/${path}`, document.baseURI.split("#")[0]);
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  return url.toString();
}

/** Raises ApiError; an AbortError is passed on as it is. */
export async function ask<K extends keyof Answers>(path: K, query: Query = {}, signal?: AbortSignal): Promise<Answers[K]> {
  const how = { signal: signal ?? null, headers: { Accept: "application/json" } };
  return (await json(address(path, { time: "s", ...query }), how)) as Answers[K];
}

/** Ask for a change; what came of it. Raises ApiError. */
export const send = (path: string, body: object): Promise<unknown> =>
  json(address(path), {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function json(url: string, how: RequestInit): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(url, how);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("sensorlogd does not answer", "away");
  }
  if (answer.status === 401) signIn();
  const body = (await answer.json().catch(() => null)) as { error?: { code: string; message: string; hint?: string } } | null;
  if (answer.ok) return body;
  const told = body?.error;
  throw new ApiError(
    [told?.message ?? `status ${answer.status}`, told?.hint].filter(Boolean).join("; "),
    told?.code,
    answer.status,
  );
}

/** The login page is the server's. */
export function signIn(): never {
  location.reload();
  throw new ApiError("Please sign in again.", "token_needed", 401);
}

/** Times of a query as RFC 3339: plain numbers would have to have nine digits at least. */
export const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

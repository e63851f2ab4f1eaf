// What was changed afterwards in a range, as the list of mends shows it.

import { ApiError } from "./api";
import { mends } from "./changes";
import type { Mend } from "./types";

/** Mends of a range. `failure`: why they are not known; empty: they are. */
export interface KnownMends {
  mends: readonly Mend[];
  failure: string;
}

/** Asks for the mends of series in [since, until), in seconds since 1970. Throws nothing: why there is no answer is in `failure`. */
export async function askMends(series: readonly string[], since: number, until: number): Promise<KnownMends> {
  try {
    return { mends: await mends(series, since, until), failure: "" };
  } catch (error) {
    return { mends: [], failure: error instanceof ApiError ? error.message : String(error) };
  }
}

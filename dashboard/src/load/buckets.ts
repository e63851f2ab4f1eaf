// Buckets of series, as columns.

import type { BucketColumns } from "../state/columns";
import { fetched, json, type Query, type Reply } from "./api";
import type { Answers } from "./types";

/** An answer of `buckets` with shape=columns. */
export type BucketsAnswer = Omit<Answers["buckets"], "series"> & { series: BucketColumns[] };

/** Asks for buckets; the answer is for `bucketsIn`. */
export const fetchBuckets = (query: Query, signal?: AbortSignal): Promise<Reply> =>
  fetched("buckets", { ...query, shape: "columns" }, signal);

/** The buckets that an answer brings. Throws ApiError; an AbortError is passed on as it is. */
export const bucketsIn = async (answer: Promise<Reply>): Promise<BucketsAnswer> => (await json(answer)) as BucketsAnswer;

/** Asks for buckets. Throws ApiError; an AbortError is passed on as it is. */
export const askBuckets = (query: Query, signal?: AbortSignal): Promise<BucketsAnswer> => bucketsIn(fetchBuckets(query, signal));

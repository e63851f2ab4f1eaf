// How long ago something was by the clock of the browser, which may be set meanwhile.

/**
 * Milliseconds since `at`, in ms since 1970. A clock that was set back makes `at` a time to come: then it is as if it were long ago, so
 * that what is due is done now and not after hours. The clock is used because it goes on while the device sleeps.
 */
export function passed(at: number): number {
  const ms = Date.now() - at;
  return ms < 0 ? Number.POSITIVE_INFINITY : ms;
}

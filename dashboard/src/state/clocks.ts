// Two clocks: that of the server, which counts, and that of the browser.

/** Clocks that differ by less than this, in seconds, count as equal. */
export const SAME_CLOCK_S = 2;

/** Whether a time is further after `now` than clocks may differ: what is dated so has a wrong date. All in seconds since 1970. */
export const isAhead = (at: number, now: number): boolean => at > now + SAME_CLOCK_S;

/**
 * By how many seconds the server's clock is ahead of the browser's at least, where it showed `now` at some time between `asked` and
 * `answered` of the browser: an answer that was long on its way is no difference of clocks. 0 for clocks that count as equal.
 */
export function aheadOf(now: number, asked: number, answered: number): number {
  const ahead = now > answered ? now - answered : Math.min(now - asked, 0);
  return Math.abs(ahead) < SAME_CLOCK_S ? 0 : ahead;
}

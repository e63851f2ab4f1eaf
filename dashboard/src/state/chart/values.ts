// Values of a line as text: the same in the legend, in the table and in speech.

import { computed, text } from "../numbers";
import type { Line } from "./lines";

/** The value of a step as text, without its unit. `band`: the smallest and the largest; null where all readings of it were alike. */
export interface StepText {
  value: string;
  band: { low: string; high: string } | null;
}

/** A value that was read, such as a minimum, with every digit or the decimals of the channel. A rate is computed, and so rounded. */
export const readAs = (line: Line, value: number | null | undefined): string =>
  line.kind === "rate" ? computed(value, line.places) : text(value, line.decimals);

/** The value of a row of a line. A mean is rounded, unless all readings were alike. */
export function shownAt(line: Line, row: number): StepText {
  const [mid, low, high] = [line.mid[row], line.low[row], line.high[row]];
  if (low === high) return { value: readAs(line, low), band: null };
  return { value: computed(mid, line.places), band: { low: readAs(line, low), high: readAs(line, high) } };
}

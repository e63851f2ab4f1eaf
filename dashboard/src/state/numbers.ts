// Numbers as text: the twin of sensorlogd/notation/numbers.py. A value reads the same here, in a table and in CSV.

/** What stands where there is no value. */
export const NOTHING = "–";

/** The shortest text that gives back this very double; with `decimals` the nearest one with so many places. */
export function text(value: number | null | undefined, decimals?: number | null): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const shown = decimals === null || decimals === undefined ? value : rounded(value, Math.min(Math.max(decimals, 0), 20));
  return String(shown === 0 ? 0 : shown);
}

/** As Python rounds: what lies exactly between two goes to the even one. */
function rounded(value: number, decimals: number): number {
  const near = Number(value.toFixed(decimals));
  const between = Number.isInteger(value * 2 ** (decimals + 1)) && places(value) === decimals + 1 && String(value).endsWith("5");
  if (!between) return near;
  const kept = String(value).slice(0, -1).replace(/\.$/, "");
  return Number(kept.at(-1)) % 2 === 0 ? Number(kept) : near;
}

/** How many places stand behind the point of the shortest text. */
export function places(value: number): number {
  const [digits = "", exponent = "0"] = String(value).split("e");
  return Math.max((digits.split(".")[1] ?? "").length - Number(exponent), 0);
}

const LONG = 8; // more places than that are the noise of arithmetic, or of a simulation

const FEW = 4; // places more, so that a small share of whole numbers does not read as nothing

/** The decimal places of readings: as configured, else the most in `seen` and `values`; null for more than LONG. */
export function resolution(
  values: Iterable<number | null | undefined>,
  decimals?: number | null,
  seen?: number | null,
): number | null {
  if (decimals !== null && decimals !== undefined) return decimals;
  let most = seen ?? 0;
  for (const value of values) if (typeof value === "number") most = Math.max(most, places(value));
  return most > LONG ? null : most;
}

/**
 * A value computed from readings with so many decimal places, as text: with two more (a small one with up to six more, so that three
 * digits show), or with nine digits where the places are not known. So the rounding noise of arithmetic never shows.
 */
export function computed(value: number | null | undefined, decimals: number | null): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (decimals === null) return text(Number(value.toPrecision(Math.abs(value) >= 1e9 ? 15 : 9)));
  const needed = value === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(value)));
  return text(Number(value.toPrecision(15)), Math.max(decimals + 2, Math.min(decimals + 2 + FEW, needed)));
}

/** A mark of a scale whose marks are `step` apart: six digits, or as many as it takes that the next one reads differently. */
export function onScale(value: number, step: number): string {
  if (!Number.isFinite(step) || step === 0) return text(Number(value.toPrecision(6)));
  if (Math.abs(value) < Math.abs(step) * 1e-9) return "0";
  const digits = Math.floor(Math.log10(Math.max(Math.abs(value / step), 1))) + 2;
  return text(Number(value.toPrecision(Math.min(Math.max(digits, 6), 17))));
}

/** All marks of an axis: with the places of their step, so that no two are alike. */
export function axis(marks: readonly number[]): string[] {
  const step = marks.length > 1 ? Number(((marks[1] as number) - (marks[0] as number)).toPrecision(4)) : 0;
  const most = places(step);
  if (!step || most > 12 || marks.some((mark) => Math.abs(mark) >= 1e15)) return marks.map((mark) => onScale(mark, step));
  return marks.map((mark) => (Math.abs(mark) < Math.abs(step) / 1e6 ? 0 : mark).toFixed(most));
}

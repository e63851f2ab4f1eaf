// Scales: round steps for axes and classes, and where a value lies on a scale of colours.

/** The next of 1, 1.5, 2, 2.5, 3, 4, 5 and their tenfolds. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const round of [1, 1.5, 2, 2.5, 3, 4, 5, 10]) if (round * power >= value * (1 - 1e-9)) return round * power;
  return 10 * power;
}

/** Where a value stands among others, 0 to 1, for colours. */
export const share = (value: number, low: number, high: number): number => (high > low ? (value - low) / (high - low) : 0.5);

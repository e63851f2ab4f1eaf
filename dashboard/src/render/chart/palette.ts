// Eight colours that stay apart for the colour-blind, too (tests/render/chart/palette.test.ts measures it); what is more is dashed.

/** Lines beyond these repeat a colour, and are dashed. */
export const COLOURS = 8;

/** The value of a custom property of the style sheet. */
export const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The colour of the line of this index. */
export const colourOf = (index: number): string => style(`--c${(index % COLOURS) + 1}`);

/** The dashes of the line of this index, in pixels; empty: it is solid. */
export const dashOf = (index: number): number[] => (index < COLOURS ? [] : index < 2 * COLOURS ? [7, 4] : [2, 3]);

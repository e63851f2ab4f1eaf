// Eight colours that stay apart for the colour-blind, too (tests/palette.test.ts measures it); what is more is dashed.

export const COLOURS = 8;
export const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const colourOf = (index: number): string => style(`--c${(index % COLOURS) + 1}`);
export const dashOf = (index: number): number[] => (index < COLOURS ? [] : index < 2 * COLOURS ? [7, 4] : [2, 3]);

// From which widths on, in CSS pixels, pages are drawn differently. Where the style decides by itself it is in style/screens.css, by the
// same number: tests/render/widths.test.ts holds them together, as a style sheet cannot take it from here.

/** A window, or a picture, up to this width is that of a phone. */
export const NARROW_PX = 640;
/** From this width of the window on, a picture has room for a third axis. */
const WIDE_PX = 900;

/** Whether the window is now as narrow as that of a phone. */
export const isNarrow = (): boolean => window.innerWidth <= NARROW_PX;

/** How many axes a picture has room for in the window as it is now. */
export const axesThatFit = (): number => (window.innerWidth < WIDE_PX ? 2 : 3);

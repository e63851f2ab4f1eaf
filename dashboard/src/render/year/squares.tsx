// The picture of a year: one square a day, a column a week, coloured by the value of the day.

import { share } from "../../state/chart/scale";
import type { BucketColumns } from "../../state/columns";
import { computed } from "../../state/numbers";
import { daysOf } from "../../state/pages/year";
import { to } from "../../state/route";
import { seriesOf } from "../../state/series";
import { MONTHS } from "../../state/words";

/** From one square to the next, and the room for the names of days and of months, in units of the viewBox. */
const [SIZE, LEFT, TOP] = [13, 32, 18];
/** A year touches at most so many weeks. */
const WEEKS = 54;
const DAY_MS = 86_400_000;
const DAYS = ["Mon", "", "Wed", "", "Fri", "", "Sun"];
const SHADES = 8;

interface SquaresProps {
  buckets: BucketColumns;
  /** Values by date; at least one. */
  days: ReadonlyMap<string, number>;
  year: number;
  series: string[];
}

/** The year with the scale of its colours. */
export function Squares({ buckets, days, year, series }: SquaresProps) {
  const { unit } = buckets;
  const values = [...days.values()];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const first = new Date(year, 0, 1);
  const shift = (first.getDay() + 6) % 7; // days from Monday to the first day of the year
  const indexOf = (date: Date): number => Math.round((date.getTime() - first.getTime()) / DAY_MS);
  const column = (index: number): number => LEFT + Math.floor((index + shift) / 7) * SIZE;
  return (
    <section class="picture">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section class="sideways" aria-label="The year" tabIndex={0}>
        {/* biome-ignore lint/a11y/useSemanticElements: a picture is no fieldset */}
        <svg
          class="year"
          viewBox={`0 0 ${WEEKS * SIZE + LEFT} ${7 * SIZE + TOP}`}
          role="group"
          aria-label={`${seriesOf(buckets)} in ${year}: from ${computed(low, 1)} to ${computed(high, 1)} ${unit} a day`}
        >
          {DAYS.map((name, row) =>
            name ? (
              <text key={name} x={0} y={TOP + row * SIZE + 10}>
                {name}
              </text>
            ) : null,
          )}
          {MONTHS.map((name, month) => (
            <text key={name} x={column(indexOf(new Date(year, month, 1)))} y={11}>
              {name}
            </text>
          ))}
          {daysOf(year).map(({ date, range, until }, index) => {
            const value = days.get(date);
            return (
              <Square
                key={date}
                x={column(index)}
                y={TOP + ((index + shift) % 7) * SIZE}
                words={`${date}: ${computed(value, 2)} ${unit}`}
                shade={value === undefined ? null : Math.min(Math.floor(share(value, low, high) * SHADES), SHADES - 1)}
                href={to("chart", { series, range, until })}
              />
            );
          })}
        </svg>
      </section>
      <p class="shades">
        {computed(low, 1)}
        {Array.from({ length: SHADES }, (_, index) => (
          <span key={index} class={`shade${index}`} />
        ))}
        {computed(high, 1)} {unit}, {buckets.kind === "counter" ? "rise" : "mean"} of the day. A square leads to its day.
      </p>
    </section>
  );
}

interface SquareProps {
  x: number;
  y: number;
  words: string;
  /** The number of its colour; null: nothing is known of the day, and it leads nowhere. */
  shade: number | null;
  href: string;
}

function Square({ x, y, words, shade, href }: SquareProps) {
  const square = (
    <rect x={x} y={y} width={SIZE - 2} height={SIZE - 2} rx={2} class={shade === null ? "day" : `day shade${shade}`}>
      <title>{words}</title>
    </rect>
  );
  return shade === null ? (
    <g>{square}</g>
  ) : (
    <a href={href} tabIndex={-1} aria-label={words}>
      {square}
    </a>
  );
}

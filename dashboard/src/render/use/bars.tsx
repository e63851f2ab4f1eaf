// What a counter rose by as bars: one a step.

import { nice } from "../../state/chart/scale";
import { axis, computed } from "../../state/numbers";
import type { Bar } from "../../state/pages/consumption";
import { isNarrow } from "../widths";

const [HEIGHT, LEFT, FOOT] = [230, 50, 22];

/** A picture of bars, with the whole of it in words. */
export function Bars({ bars: shown, unit }: { bars: Bar[]; unit: string }) {
  const narrow = isNarrow();
  const WIDTH = narrow ? 350 : 900;
  const most = Math.max(0, ...shown.map((bar) => bar.value ?? 0));
  const step = nice(most / 4 || 1);
  const marks = Array.from({ length: Math.ceil(most / step || 1) + 1 }, (_, index) => index * step);
  const top = marks.at(-1) as number;
  const wide = (WIDTH - LEFT) / shown.length;
  const y = (value: number) => 24 + (HEIGHT - FOOT - 24) * (1 - value / top);
  const every = Math.ceil(shown.length / (narrow ? 10 : 31));
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`Bars of ${shown.map((bar) => `${bar.label}: ${computed(bar.value, 3)} ${unit}`).join(", ")}`}
    >
      {axis(marks).map((words, index) => (
        <g key={words}>
          <line x1={LEFT} x2={WIDTH} y1={y(marks[index] as number)} y2={y(marks[index] as number)} class="grid" />
          <text x={LEFT - 6} y={y(marks[index] as number) + 4} text-anchor="end">
            {words}
          </text>
        </g>
      ))}
      <text x={4} y={11}>
        {unit}
      </text>
      {shown.map((bar, index) => (
        <g key={bar.at}>
          <rect
            x={LEFT + index * wide + wide * 0.12}
            width={wide * 0.76}
            y={y(bar.value ?? 0)}
            height={HEIGHT - FOOT - y(bar.value ?? 0)}
          >
            <title>{`${bar.label}: ${computed(bar.value, 3)} ${unit}`}</title>
          </rect>
          {index % every === 0 ? (
            <text x={LEFT + (index + 0.5) * wide} y={HEIGHT - 6} text-anchor="middle">
              {bar.label}
            </text>
          ) : null}
        </g>
      ))}
    </svg>
  );
}

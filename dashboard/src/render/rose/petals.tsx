// The picture of a rose: a petal for each direction, from the slowest wind inside to the fastest outside.

import { type Rose, SECTORS } from "../../state/pages/rose";
import { plural } from "../../state/words";
import { Empty } from "../parts/texts";

/** The side of the picture, the middle of it, and how long the longest petal is, in units of its viewBox. */
const [SIZE, MIDDLE, REACH] = [420, 210, 170];
/** Between the middles of two petals, and from the middle of one to its edge. */
const [SECTOR_DEG, HALF_PETAL_DEG] = [360 / SECTORS.length, 9];
/** The colour of each class of speed, by its number in the style. */
const SHADES = [1, 3, 4, 6, 7];

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const total = (shares: readonly number[] | undefined): number => (shares ?? []).reduce((sum, share) => sum + share, 0);

/** A point of the picture. `distance`: from the middle. `degrees`: clockwise from north. */
function point(distance: number, degrees: number): { x: number; y: number } {
  const angle = ((degrees - 90) * Math.PI) / 180;
  return { x: MIDDLE + Math.cos(angle) * distance, y: MIDDLE + Math.sin(angle) * distance };
}

/** The rose with its legend, and the share of each direction in words. */
export function Petals({ shown, unit }: { shown: Rose; unit: string }) {
  if (!shown.steps) return <Empty>There are no readings of both in this range.</Empty>;
  const most = Math.max(...shown.shares.map(total), 0.01);
  return (
    <section class="picture rose">
      <svg
        viewBox={`0 0 ${SIZE} ${SIZE}`}
        role="img"
        aria-label={SECTORS.map((name, index) => `${name} ${percent(total(shown.shares[index]))}`).join(", ")}
      >
        <Rings most={most} />
        {SECTORS.map((name, index) => (
          <Petal key={name} sector={index} shown={shown} most={most} unit={unit} />
        ))}
        {["N", "E", "S", "W"].map((name, index) => {
          const { x, y } = point(REACH + 24, index * 90);
          return (
            <text key={name} x={x} y={y + 5} text-anchor="middle" class="strong">
              {name}
            </text>
          );
        })}
      </svg>
      <ul class="plain shades">
        {shown.limits.map((limit, kind) => (
          <li key={limit}>
            <span class={`shade${SHADES[kind]}`} /> {classOf(shown.limits, kind, unit)}
          </li>
        ))}
        <li>
          {percent(shown.calm)} calm; {plural(shown.steps, "step")}
        </li>
      </ul>
    </section>
  );
}

/** Rings at half of the largest share, and at all of it. */
const Rings = ({ most }: { most: number }) => (
  <>
    {[0.5, 1].map((part) => (
      <g key={part}>
        <circle cx={MIDDLE} cy={MIDDLE} r={REACH * part} class="grid" />
        <text x={MIDDLE + 4} y={MIDDLE - REACH * part - 3}>
          {percent(most * part)}
        </text>
      </g>
    ))}
  </>
);

interface PetalProps {
  /** Its place in SECTORS. */
  sector: number;
  shown: Rose;
  /** The largest share of a sector. */
  most: number;
  unit: string;
}

/** One direction: a piece for each class of speed, as long as its share. */
function Petal({ sector, shown, most, unit }: PetalProps) {
  const [from, until] = [sector * SECTOR_DEG - HALF_PETAL_DEG, sector * SECTOR_DEG + HALF_PETAL_DEG];
  const at = (distance: number, degrees: number): string => {
    const { x, y } = point(distance, degrees);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  };
  let far = 0;
  const pieces = (shown.shares[sector] ?? []).map((part, kind) => {
    const near = far;
    far += (part / most) * REACH;
    const outwards = `M${at(near, from)} L${at(far, from)} A${far} ${far} 0 0 1 ${at(far, until)}`;
    const back = `L${at(near, until)} A${near} ${near} 0 0 0 ${at(near, from)}Z`;
    return part ? (
      <path key={kind} d={`${outwards} ${back}`} class={`shade${SHADES[kind]}`}>
        <title>{`${SECTORS[sector]}, ${classOf(shown.limits, kind, unit)}: ${percent(part)}`}</title>
      </path>
    ) : null;
  });
  return <>{pieces}</>;
}

/** A class of speed in words. */
function classOf(limits: readonly number[], kind: number, unit: string): string {
  const from = kind ? limits[kind - 1] : 0;
  return kind === limits.length - 1 ? `over ${from} ${unit}` : `${from} to ${limits[kind]} ${unit}`;
}

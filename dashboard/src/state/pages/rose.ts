// A wind rose: how often the wind blew from each direction, and how fast.

import { nice } from "../chart/scale";
import type { BucketColumns } from "../columns";
import { type Channel, sensorOf } from "../series";

/** The sixteen directions of a rose, clockwise from north. */
export const SECTORS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"];

/** How often the wind blew from each sector, and how fast. */
export interface Rose {
  /** Shares of all steps: by sector, by class of speed. */
  shares: number[][];
  /** Upper ends of the classes; the last one is open. */
  limits: number[];
  calm: number;
  steps: number;
}

/** How often the wind came from where and how fast. Calm: no more than a fiftieth of the fastest, so that air that never moves is calm. */
export function rose(speed: BucketColumns, direction: BucketColumns, classes = 5): Rose {
  const speeds = new Map(speed.time.map((time, row) => [time, speed.mean?.[row] ?? null]));
  const pairs: [number, number][] = [];
  direction.time.forEach((time, row) => {
    const [fast, from] = [speeds.get(time), direction.mean?.[row]];
    if (typeof fast === "number" && typeof from === "number") pairs.push([fast, from]);
  });
  const fastest = pairs.reduce((most, [fast]) => Math.max(most, fast), 0);
  const width = nice(fastest / classes || 1);
  const limits = Array.from({ length: classes }, (_, index) => Number(((index + 1) * width).toPrecision(6)));
  const shares = SECTORS.map(() => new Array<number>(classes).fill(0));
  let calm = 0;
  for (const [fast, from] of pairs) {
    if (fast <= fastest / 50) {
      calm += 1 / pairs.length;
      continue;
    }
    const sector = shares[sectorOf(from)] as number[];
    const kind = Math.min(Math.floor(fast / width), classes - 1);
    sector[kind] = (sector[kind] ?? 0) + 1 / pairs.length;
  }
  return { shares, limits, calm, steps: pairs.length };
}

/** The place in SECTORS of a direction in degrees, which may lie outside of 0 to 360. */
function sectorOf(degrees: number): number {
  const sector = Math.round((degrees * SECTORS.length) / 360) % SECTORS.length;
  return sector < 0 ? sector + SECTORS.length : sector;
}

/** The channel of the same sensor that measures a speed, by its name, or else by its unit. */
export function speedBeside(direction: string, channels: readonly Channel[]): Channel | undefined {
  const beside = channels.filter((channel) => sensorOf(channel.series) === sensorOf(direction) && channel.kind === "gauge");
  return (
    beside.find((channel) => /speed|velocity/i.test(channel.channel)) ??
    beside.find((channel) => /^(m\/s|km\/h|kn|kt|mph)$/.test(channel.unit)) ??
    beside.find((channel) => /wind/i.test(channel.channel))
  );
}

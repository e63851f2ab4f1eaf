// What one counter counted in a period and what that cost: a sum, bars, a table.

import type { Cost } from "../../load/types";
import type { BucketColumns } from "../../state/columns";
import { computed, NOTHING } from "../../state/numbers";
import { type Bar, BYS, type By, barsOf, costs, periodName } from "../../state/pages/consumption";
import { seriesOf } from "../../state/series";
import { Bars } from "./bars";

const PLACES = 3;

interface CountedProps {
  counted: BucketColumns;
  /** Its name, where there are several counters; otherwise empty. */
  name: string;
  by: By;
  since: number;
  until: number;
  /** That was written on the page; 0: none. It counts instead of those of the configuration. */
  price: number;
  /** By the prices of the configuration. */
  cost: Cost | undefined;
}

/** What was counted in [since, until). */
export function Counted({ counted, name, by, since, until, price, cost }: CountedProps) {
  const bars = barsOf(counted, by, since, until);
  const { unit } = counted;
  const sum = bars.reduce((sofar, bar) => sofar + (bar.value ?? 0), 0);
  const priced = price ? undefined : cost;
  const paid = costs(priced, by);
  const total = (): string => {
    if (price) return ` (${(sum * price).toFixed(2)})`;
    if (!priced) return "";
    const rest = paid.unpriced > 0 ? `, ${computed(paid.unpriced, PLACES)} ${priced.unit} without a price` : "";
    return ` (${paid.sum.toFixed(2)} ${priced.currency}${rest})`;
  };
  const costOfBar = (bar: Bar): string => {
    if (bar.value === null) return NOTHING;
    return price ? (bar.value * price).toFixed(2) : (paid.at(bar.at)?.toFixed(2) ?? NOTHING);
  };
  const head = `cost${priced ? ` ${priced.currency}` : ""}`;
  return (
    <section class="picture" data-series={seriesOf(counted)}>
      <h3>
        {name ? `${name}, ` : ""}
        {periodName(by, since)}: {computed(sum, PLACES)} {unit}
        <span data-cost={priced ? paid.sum : undefined}>{total()}</span>
      </h3>
      <Bars bars={bars} unit={unit} />
      <details>
        <summary>Data table</summary>
        <BarTable bars={bars} by={by} unit={unit} cost={price || priced ? { head, of: costOfBar } : null} />
      </details>
    </section>
  );
}

interface BarTableProps {
  bars: readonly Bar[];
  by: By;
  unit: string;
  /** The column of costs; null: no price is known. */
  cost: { head: string; of: (bar: Bar) => string } | null;
}

function BarTable({ bars, by, unit, cost }: BarTableProps) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{BYS.find(([name]) => name === by)?.[1]}</th>
          <th scope="col">{unit || "count"}</th>
          {cost ? <th scope="col">{cost.head}</th> : null}
        </tr>
      </thead>
      <tbody>
        {bars.map((bar) => (
          <tr key={bar.at}>
            <th scope="row">{bar.label}</th>
            <td>{computed(bar.value, PLACES)}</td>
            {cost ? <td>{cost.of(bar)}</td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// An answer that may be out of date is asked for again, however often that is said.

import { outdated, type State, type Store } from "../state/model";
import { passed } from "./passed";
import type { Kind } from "./questions/asking";

/** While it is being asked for, it is looked again after so long whether the answer is there: asking anew would drop it. */
const LOOKED_AGAIN_MS = 1000;

/** Marks the answer of one kind as outdated. */
export class Outdating {
  private timer = 0;
  private markedAt = 0;

  /** `each_ms`: it is marked so often at most, in milliseconds. */
  constructor(
    private readonly store: Store,
    private readonly kind: Kind,
    private readonly each_ms: number,
  ) {}

  /** The answer may lack something: it is marked at once, or once the last time is long enough ago. */
  readonly soon = (): void => {
    this.timer ||= window.setTimeout(this.markOutdated, Math.max(this.each_ms - passed(this.markedAt), 0));
  };

  private readonly markOutdated = (): void => {
    this.timer = 0;
    if (this.store.state[this.kind].busy) {
      this.timer = window.setTimeout(this.markOutdated, LOOKED_AGAIN_MS);
      return;
    }
    this.markedAt = Date.now();
    this.store.change((state) => ({ [this.kind]: outdated<unknown>(state[this.kind]) }) as Partial<State>);
  };
}

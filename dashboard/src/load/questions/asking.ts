// One question of each kind at a time: its answer goes into the store, unless the page has asked another one since.

import type { Answered, State, Store } from "../../state/model";
import { ApiError } from "../api";

/** The parts of the state that hold an answer to a question of the page. */
export type Kind = "chart" | "chartEvents" | "events" | "buckets" | "database" | "costs";

/** A server that did not answer, or was busy, is asked anew after so long. */
const TRIED_ANEW_MS = 2000;

/** Asks for the pages, drops late answers, and lays what comes into the store. */
export class Asking {
  private readonly running = new Map<Kind, AbortController>();

  constructor(private readonly store: Store) {}

  /** Asks, unless this question is asked or answered already. `key`: the address that it belongs to. A chart stays while it is asked anew. */
  begin<T>(kind: Kind, key: string, question: (signal: AbortSignal) => Promise<T>): void {
    const answered = this.store.state[kind] as Answered<T>;
    if (answered.key === key) return;
    this.run(kind, key, question, kind === "chart" || kind === "chartEvents" ? answered.data : null);
  }

  /** Asks in any case, and drops a question of this kind that is under way. `meanwhile`: what is shown until the answer comes. */
  run<T>(kind: Kind, key: string, question: (signal: AbortSignal) => Promise<T>, meanwhile: T | null): void {
    this.running.get(kind)?.abort();
    const controller = new AbortController();
    this.running.set(kind, controller);
    this.store.change(() => ({ [kind]: { key, data: meanwhile, busy: true } }) as Partial<State>);
    question(controller.signal)
      .then((data) => {
        if (this.running.get(kind) === controller)
          this.store.change(() => ({ [kind]: { key, data, busy: false }, error: "" }) as Partial<State>);
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        if (!(error instanceof ApiError)) console.error(error);
        const away = error instanceof ApiError && (error.code === "away" || error.status === 503);
        this.store.change(
          (state) =>
            ({
              [kind]: { ...state[kind], busy: false },
              error: away ? state.error : error instanceof ApiError ? error.message : "Something went wrong on this page.",
            }) as Partial<State>,
        );
        if (away)
          window.setTimeout(
            () =>
              this.store.change((state) =>
                state[kind].key === key ? ({ [kind]: { ...state[kind], key: "" } } as Partial<State>) : null,
              ),
            TRIED_ANEW_MS,
          );
      });
  }
}

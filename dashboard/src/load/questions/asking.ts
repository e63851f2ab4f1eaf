// One question of each kind at a time: its answer goes into the store, unless the page has asked another one since.

import { type Answered, outdated, type State, type Store } from "../../state/model";
import { ApiError } from "../api";

/** The parts of the state that hold an answer to a question of the page. */
export type Kind = "chart" | "chartEvents" | "events" | "buckets" | "database" | "costs";

/** A server that did not answer, or was busy, is asked anew after so long. */
export const TRIED_ANEW_MS = 2000;

/** Asks for the pages, drops late answers, and lays what comes into the store. */
export class Asking {
  private readonly running = new Map<Kind, AbortController>();

  constructor(private readonly store: Store) {}

  /**
   * Asks, unless this question is asked or answered already, and not outdated. `key`: the address that it belongs to. What was
   * answered to the same question stays until the next answer comes; a chart and its events stay also while another one is asked.
   */
  begin<T>(kind: Kind, key: string, question: (signal: AbortSignal) => Promise<T>): void {
    const answered = this.store.state[kind] as Answered<T>;
    if (answered.key === key && !answered.outdated) return;
    const stays = answered.key === key || kind === "chart" || kind === "chartEvents";
    this.run(kind, key, question, stays ? answered.data : null);
  }

  /** Asks in any case, and drops a question of this kind that is under way. `meanwhile`: what is shown until the answer comes. */
  run<T>(kind: Kind, key: string, question: (signal: AbortSignal) => Promise<T>, meanwhile: T | null): void {
    this.running.get(kind)?.abort();
    const controller = new AbortController();
    this.running.set(kind, controller);
    this.lay(kind, () => ({ key, data: meanwhile, busy: true, error: "", outdated: false }));
    question(controller.signal)
      .then((data) => {
        if (!controller.signal.aborted) this.lay(kind, (answered) => ({ ...answered, data, busy: false }));
      })
      .catch((error: unknown) => {
        if (!controller.signal.aborted) this.failed(kind, key, error);
      });
  }

  private failed(kind: Kind, key: string, error: unknown): void {
    if (!(error instanceof ApiError)) console.error(error);
    const away = error instanceof ApiError && (error.code === "away" || error.status === 503);
    const words = error instanceof ApiError ? error.message : "Something went wrong on this page.";
    this.lay(kind, (answered) => ({ ...answered, busy: false, error: away ? "" : words }));
    if (away)
      window.setTimeout(() => this.lay(kind, (answered) => (answered.key === key ? outdated(answered) : null)), TRIED_ANEW_MS);
  }

  /** Lays what becomes of an answer into the store; null: it stays as it is. */
  private lay(kind: Kind, how: (answered: Answered<unknown>) => Answered<unknown> | null): void {
    this.store.change((state) => {
      const laid = how(state[kind]);
      return laid && ({ [kind]: laid } as Partial<State>);
    });
  }
}

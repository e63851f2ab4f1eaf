// What happened, newest first.

import * as api from "./api";
import { el } from "./dom";
import * as format from "./format";

const EVERY_MS = 5000;

export function eventList(main: HTMLElement, signal: AbortSignal, trouble: (error: unknown) => void): void {
  const body = el("tbody");
  const head = el("tr", {}, ...["Time", "Sensor", "What", "Detail"].map((name) => el("th", { scope: "col" }, name)));
  main.replaceChildren(el("h2", {}, "Events"), el("div", { class: "scroll" }, el("table", { class: "wide" }, el("thead", {}, head), body)));
  async function turn(): Promise<void> {
    try {
      const found = (await api.events({ limit: 200 }, signal)).reverse();
      body.replaceChildren(...found.map((one) => el("tr", { "data-kind": one.kind }, el("td", {}, format.time(one.time)), el("td", {}, one.sensor ?? ""), el("td", {}, one.kind), el("td", {}, one.detail))));
      trouble(null);
    } catch (error) {
      trouble(error);
    }
    if (!signal.aborted) setTimeout(() => void turn(), EVERY_MS);
  }
  void turn();
}

// The page: which part is shown, the health line, and what is said when the API is away.

import * as api from "./api";
import { charts } from "./charts";
import { byId, el, setText } from "./dom";
import { eventList } from "./eventlist";
import * as format from "./format";
import { overview } from "./overview";

const HEALTH_EVERY_MS = 5000;
let shown: AbortController | null = null;
let page = "";

function trouble(error: unknown): void {
  const box = byId("trouble");
  if (error === null) box.hidden = true;
  else if ((error as Error).name !== "AbortError") {
    box.hidden = false;
    setText(box, error instanceof api.ApiError ? error.message : "Something went wrong on this page. Trying again.");
    if (!(error instanceof api.ApiError)) console.error(error);
  }
}

function route(): void {
  const wanted = location.hash.startsWith("#/chart") ? "chart" : location.hash.startsWith("#/events") ? "events" : "overview";
  if (wanted === page) return; // a chart page follows its own address
  shown?.abort();
  shown = new AbortController();
  page = wanted;
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a"))
    if (link.dataset["page"] === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.body.dataset["page"] = wanted;
  ({ overview, chart: charts, events: eventList })[wanted](byId("main"), shown.signal, trouble);
}

async function health(): Promise<void> {
  const line = byId("health");
  try {
    const { daemon, database, config_errors } = await api.status();
    const state = String(daemon["state_now"] ?? "unknown");
    const good = state === "running" && daemon["state"] === "writing" && config_errors.length === 0;
    const depth = Number(daemon["inbox_depth"] ?? 0);
    const limit = Number(daemon["inbox_limit"] ?? 0);
    const parts = [
      el("b", { class: good ? "good" : "bad" }, good ? "logging" : state === "running" ? String(daemon["state"]) : state),
      el("span", { title: database.path }, `database ${format.size(database.bytes)}, WAL ${format.size(database.wal_bytes)}`),
      el("span", { title: "readings waiting to be stored" }, `queue ${depth}${limit ? ` of ${limit}` : ""}`),
      el("span", {}, `last commit ${Number(daemon["last_commit_ms"] ?? 0).toFixed(1)} ms`),
    ];
    const reason = config_errors[0] ?? daemon["state_reason"] ?? "";
    if (!good && reason) parts.push(el("span", { class: "bad" }, String(reason)));
    if (state !== "running") parts.push(el("span", { class: "bad" }, String(daemon["explanation"] ?? "")));
    line.replaceChildren(...parts);
    line.dataset["state"] = state;
  } catch (error) {
    trouble(error);
  }
  setTimeout(() => void health(), HEALTH_EVERY_MS);
}

window.addEventListener("hashchange", () => {
  const before = page;
  route();
  // Within the chart page ``popstate`` does the work; links from elsewhere change the page.
  if (before === page && page === "chart") window.dispatchEvent(new PopStateEvent("popstate"));
});
route();
void health();

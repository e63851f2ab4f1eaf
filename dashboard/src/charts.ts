// The chart page: which series, which time, one chart for each unit.

import * as api from "./api";
import { Chart } from "./chart";
import { el, say, setText } from "./dom";
import * as format from "./format";
import * as view from "./view";

const MOST_SERIES = 24;
const MOST_ROWS = 500;
const QUIET = new Set(["connected", "started", "stopped", "config_reloaded"]);

interface Panel {
  unit: string;
  channels: api.Channel[];
  chart: Chart;
  element: HTMLElement;
  legend: HTMLElement;
  rows: HTMLElement[];
}

export function charts(main: HTMLElement, signal: AbortSignal, trouble: (error: unknown) => void): void {
  let now = view.read(location.hash);
  let panels: Panel[] = [];
  let known: api.Channel[] = [];
  let asked: AbortController | null = null;
  let timer = 0;

  const go = (next: view.View, replace = false) => {
    const hash = view.write(next);
    if (replace) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
    now = next;
    tools();
    void load();
  };
  const button = (text: string, label: string, act: () => void) => {
    const made = el("button", { type: "button", "aria-label": label, title: label }, text);
    made.addEventListener("click", act);
    return made;
  };

  const presets = view.PRESETS.map(([name, range]) => {
    const made = button(name, `Show the last ${name}`, () => go({ ...now, range, until: null }));
    made.dataset["range"] = String(range);
    return made;
  });
  const live = button("Live", "Follow the newest readings", () => go({ ...now, until: null }));
  const csv = el("a", { class: "button", download: "sensorlogd.csv" }, "CSV");
  const bar = el(
    "div",
    { class: "tools", role: "toolbar", "aria-label": "Time range" },
    ...presets,
    el("span", { class: "group" }, button("◀", "Earlier", () => go(view.moved(now, -0.5))), button("▶", "Later", () => go(view.moved(now, 0.5))), button("+", "Zoom in", () => go(view.zoomed(now, 0.5))), button("−", "Zoom out", () => go(view.zoomed(now, 2))), live),
    csv,
  );
  const picker = el("details", { class: "picker" }, el("summary", {}, "Series"));
  const choices = el("div", { class: "choices" });
  picker.append(choices);
  const span = el("p", { class: "span" });
  const place = el("div", { class: "panels" });
  const list = el("ul", { class: "events" });
  const marks = el("details", { class: "marks" }, el("summary", {}, "Events in this range"), list);
  const body = el("tbody");
  const head = el("tr");
  const table = el("details", { class: "table" }, el("summary", {}, "Data table"), el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head), body)));
  main.replaceChildren(el("h2", { class: "unseen" }, "Charts"), bar, picker, span, place, marks, table);
  table.addEventListener("toggle", () => void load());

  function tools(): void {
    for (const one of presets) one.setAttribute("aria-pressed", String(now.until === null && Number(one.dataset["range"]) === Math.round(now.range)));
    live.setAttribute("aria-pressed", String(now.until === null));
  }

  function choose(): void {
    choices.replaceChildren(
      ...known.map((channel) => {
        const box = el("input", { type: "checkbox", value: channel.series });
        box.checked = now.series.includes(channel.series);
        box.addEventListener("change", () => {
          const series = box.checked ? [...now.series, channel.series] : now.series.filter((one) => one !== channel.series);
          if (series.length > MOST_SERIES) {
            box.checked = false;
            say(`At most ${MOST_SERIES} series at a time.`);
            return;
          }
          go({ ...now, series });
          arrange();
        });
        return el("label", {}, box, ` ${channel.series}`, channel.unit ? el("span", { class: "unit" }, ` ${channel.unit}`) : null, channel.retired ? el("span", { class: "unit" }, " (former)") : null);
      }),
    );
    picker.open = picker.open || now.series.length === 0;
  }

  function arrange(): void {
    for (const panel of panels) panel.chart.destroy();
    const chosen = now.series.map((name) => known.find((one) => one.series === name)).filter((one): one is api.Channel => one !== undefined);
    const units = [...new Set(chosen.map((one) => `${one.unit}|${one.kind === "state" ? one.series : ""}`))];
    panels = units.map((key) => {
      const channels = chosen.filter((one) => `${one.unit}|${one.kind === "state" ? one.series : ""}` === key);
      const unit = channels[0]?.unit ?? "";
      const chart = new Chart(unit, channels.map((one) => one.series), channels.map((one) => one.kind), {
        zoom: (since, until) => go(view.between(now, since, until)),
        pan: (share) => go(view.moved(now, share)),
        scale: (factor, around) => go(view.zoomed(now, factor, around)),
      });
      const rows = channels.map((one, index) => el("li", { class: `c${(index % 6) + 1}`, "data-series": one.series }, el("span", { class: "key" }), el("span", { class: "name" }, one.series), el("output", {}, "–")));
      const legend = el("ul", { class: "legend" }, ...rows);
      const element = el("section", { class: "panel", "aria-label": channels.map((one) => one.series).join(", ") }, chart.element, legend);
      chart.element.addEventListener("cursor", (event) => cursor(panel, (event as CustomEvent<number | null>).detail));
      const panel: Panel = { unit, channels, chart, element, legend, rows };
      return panel;
    });
    place.replaceChildren(...panels.map((panel) => panel.element));
    const gone = now.series.filter((name) => !known.some((one) => one.series === name));
    if (gone.length) place.append(el("p", { class: "empty" }, `There is no series ${gone.join(", ")}.`));
    else if (!panels.length) place.append(el("p", { class: "empty" }, "Choose series above."));
  }

  function cursor(panel: Panel, index: number | null | undefined): void {
    const found = panel.chart.at(index);
    panel.rows.forEach((row, one) => {
      const [mean, low, high] = found?.values[one] ?? [];
      const output = row.querySelector("output");
      if (!output) return;
      const band = low !== undefined && low !== null && high !== undefined && high !== null && low !== high ? ` (${format.number(low)} … ${format.number(high)})` : "";
      setText(output, mean === null || mean === undefined ? "–" : `${format.number(mean)} ${panel.unit}${band}`);
    });
    if (found) setText(span, `${format.time(found.time)}`);
    else told();
  }

  let lastTold = "";
  function told(): void {
    setText(span, lastTold);
  }

  function tabulate(found: api.Buckets[]): void {
    if (!table.open) return;
    head.replaceChildren(el("th", { scope: "col" }, "Time"), ...found.map((one) => el("th", { scope: "col" }, `${one.sensor}.${one.channel}${one.unit ? ` [${one.unit}]` : ""}`)));
    const times = [...new Set(found.flatMap((one) => one.time.filter((_, row) => one.mean[row] !== null)))].sort((a, b) => b - a);
    const at = found.map((one) => new Map(one.time.map((time, row) => [time, one.mean[row] ?? null])));
    body.replaceChildren(
      ...times.slice(0, MOST_ROWS).map((time) => el("tr", {}, el("th", { scope: "row" }, format.time(time)), ...at.map((column) => el("td", {}, format.number(column.get(time)))))),
    );
    if (times.length > MOST_ROWS) body.append(el("tr", {}, el("td", { colspan: found.length + 1 }, `${times.length - MOST_ROWS} more: zoom in, or take the CSV file.`)));
  }

  async function load(): Promise<void> {
    asked?.abort();
    window.clearTimeout(timer);
    const mine = (asked = new AbortController());
    signal.addEventListener("abort", () => mine.abort(), { once: true });
    const [since, until] = view.bounds(now);
    const points = Math.max(Math.round((panels[0]?.chart.width() ?? 600) * Math.min(devicePixelRatio, 2)), 50);
    let wait = 5000;
    try {
      if (panels.length) {
        const series = panels.flatMap((panel) => panel.channels.map((one) => one.series));
        csv.href = api.address("buckets", { ...api.seconds(api.bucketQuery(series, since, until, points)), format: "csv" });
        const [found, happened] = await Promise.all([
          api.buckets(series, since, until, points, mine.signal),
          api.events({ since: new Date(since * 1000).toISOString(), limit: 500 }, mine.signal),
        ]);
        const names = new Set(panels.flatMap((panel) => panel.channels.map((one) => one.series.slice(0, one.series.lastIndexOf(".")))));
        const shown = happened.filter((one) => one.time <= until && (one.sensor === null || names.has(one.sensor)));
        const loud = shown.filter((one) => !QUIET.has(one.kind));
        for (const panel of panels) {
          const own = panel.channels.map((one) => found.find((data) => `${data.sensor}.${data.channel}` === one.series)).filter((one): one is api.Buckets => one !== undefined);
          panel.chart.show(own, panel.channels.map((one) => one.heartbeat_s), since, until, loud);
        }
        const first = found[0];
        lastTold = first ? `${format.span(since, until)}, steps of ${first.step}${first.resolution === "raw" ? "" : `, from ${first.resolution} roll-ups`}` : "";
        place.dataset["step"] = first?.step ?? "";
        told();
        list.replaceChildren(...shown.reverse().map((one) => el("li", {}, el("time", {}, format.time(one.time)), ` ${one.sensor ?? ""} `, el("b", {}, one.kind), ` ${one.detail}`)));
        marks.hidden = !shown.length;
        tabulate(found);
        wait = Math.min(Math.max((now.range / points) * 1000, 1000), 60000);
      }
      trouble(null);
    } catch (error) {
      if (mine.signal.aborted) return;
      trouble(error);
    }
    if (!signal.aborted && now.until === null) timer = window.setTimeout(() => void load(), document.hidden ? 10 * wait : wait);
  }

  const back = () => {
    if (!location.hash.startsWith("#/chart")) return;
    now = view.read(location.hash);
    tools();
    choose();
    arrange();
    void load();
  };
  window.addEventListener("popstate", back, { signal });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const restyle = () => panels.forEach((panel) => panel.chart.restyle());
  scheme.addEventListener("change", restyle, { signal });
  signal.addEventListener("abort", () => {
    window.clearTimeout(timer);
    for (const panel of panels) panel.chart.destroy();
  });

  async function begin(): Promise<void> {
    try {
      known = (await api.everything(signal)).flatMap((one) => one.channels);
    } catch (error) {
      trouble(error);
      if (!signal.aborted) setTimeout(() => void begin(), 2000);
      return;
    }
    choose();
    arrange();
    tools();
    await load();
  }
  void begin();
}

// All sensors: state, newest values, ages, the last hour.

import * as api from "./api";
import { stepSeconds } from "./chart";
import { byId, el, setText } from "./dom";
import * as format from "./format";
import { draw } from "./sparkline";
import * as view from "./view";

const EVERY_MS = 2000;
const CURVES_EVERY_MS = 30000;
const HOUR = 3600;
const AT_ONCE = 40;
export const WORDS: Record<string, string> = {
  ok: "ok",
  stale: "stale",
  failed: "failed",
  reconnecting: "reconnecting",
  waiting: "waiting",
};

interface Line {
  channel: api.Channel;
  value: HTMLElement;
  unit: HTMLElement;
  age: HTMLElement;
  curve: HTMLElement;
  visible: boolean;
  drawn: number;
}

interface Card {
  element: HTMLElement;
  state: HTMLElement;
  error: HTMLElement;
  lines: Map<string, Line>;
}

export function overview(main: HTMLElement, signal: AbortSignal, trouble: (error: unknown) => void): void {
  const cards = new Map<string, Card>();
  const filter = el("input", { type: "search", placeholder: "Find a sensor", "aria-label": "Find a sensor", autocomplete: "off" });
  const grid = el("div", { class: "cards" });
  const empty = el("p", { class: "empty", hidden: true }, "No sensor is configured. What was imported, or logged by former sensors, is under ", el("a", { href: "#/chart" }, "Charts"), ".");
  main.replaceChildren(el("h2", { class: "unseen" }, "Sensors"), filter, grid, empty);
  filter.hidden = true;

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const card = cards.get((entry.target as HTMLElement).dataset["sensor"] ?? "");
      for (const line of card?.lines.values() ?? []) line.visible = entry.isIntersecting;
    }
    void curves().catch(trouble);
  });
  signal.addEventListener("abort", () => seen.disconnect());

  function match(): void {
    const wanted = filter.value.trim().toLowerCase();
    for (const [name, card] of cards) card.element.hidden = !name.toLowerCase().includes(wanted) && !card.element.textContent?.toLowerCase().includes(wanted);
  }
  filter.addEventListener("input", match);

  function build(sensor: api.Sensor): Card {
    const state = el("span", { class: "state" });
    const error = el("p", { class: "error", hidden: true });
    const lines = new Map<string, Line>();
    const rows = sensor.channels.map((channel) => {
      const line: Line = { channel, value: el("b", { class: "value" }, "–"), unit: el("span", { class: "unit" }, channel.unit), age: el("span", { class: "age" }), curve: el("span", { class: "curve" }), visible: false, drawn: 0 };
      lines.set(channel.series, line);
      const href = view.write({ series: [channel.series], range: 21600, until: null });
      return el("li", { "data-series": channel.series }, el("a", { href }, el("span", { class: "channel" }, channel.channel), el("span", { class: "reading" }, line.value, " ", line.unit), line.curve, line.age));
    });
    const all = view.write({ series: sensor.channels.map((one) => one.series), range: 21600, until: null });
    const element = el("section", { class: "card", "data-sensor": sensor.sensor, "aria-label": sensor.sensor }, el("h3", {}, el("a", { href: all }, sensor.sensor), state), error, el("ul", {}, ...rows));
    seen.observe(element);
    return { element, state, error, lines };
  }

  function show(found: api.Sensor[]): void {
    const names = found.map((one) => `${one.sensor}:${one.channels.map((channel) => channel.series + channel.unit)}`).join("|");
    if (grid.dataset["names"] !== names) {
      grid.dataset["names"] = names;
      seen.disconnect();
      cards.clear();
      grid.replaceChildren(
        ...found.map((sensor) => {
          const card = build(sensor);
          cards.set(sensor.sensor, card);
          return card.element;
        }),
      );
    }
    filter.hidden = found.length < 8;
    empty.hidden = found.length > 0;
    for (const sensor of found) {
      const card = cards.get(sensor.sensor);
      if (!card) continue;
      card.element.dataset["state"] = sensor.health;
      setText(card.state, WORDS[sensor.health] ?? sensor.health);
      setText(card.error, sensor.error ?? "");
      card.error.hidden = !sensor.error || sensor.health === "ok";
    }
  }

  function values(found: api.Latest[]): void {
    for (const one of found) {
      const line = cards.get(one.sensor)?.lines.get(`${one.sensor}.${one.channel}`);
      if (!line) continue;
      setText(line.value, format.number(one.value));
      line.value.dataset["value"] = String(one.value);
      line.value.title = one.quality;
      line.value.classList.toggle("doubtful", /^(suspect|fail|missing)/.test(one.quality));
      setText(line.age, format.age(one.age_s));
      line.age.classList.toggle("old", one.state !== "ok");
    }
  }

  async function curves(): Promise<void> {
    const due = [...cards.values()].flatMap((card) => [...card.lines.values()]).filter((line) => line.visible && Date.now() - line.drawn > CURVES_EVERY_MS);
    for (let at = 0; at < due.length; at += AT_ONCE) {
      const some = due.slice(at, at + AT_ONCE);
      for (const line of some) line.drawn = Date.now();
      const now = Date.now() / 1000;
      const found = await api.buckets(some.map((line) => line.channel.series), now - HOUR, now, 70, signal);
      for (const one of found) {
        const line = cards.get(one.sensor)?.lines.get(`${one.sensor}.${one.channel}`);
        if (line) draw(line.curve, one, line.channel.heartbeat_s, stepSeconds(one));
      }
    }
  }

  async function turn(): Promise<void> {
    try {
      const [sensors, newest] = await Promise.all([api.sensors(signal), api.latest(signal)]);
      show(sensors);
      values(newest);
      await curves();
      trouble(null);
    } catch (error) {
      trouble(error);
    }
    if (!signal.aborted) setTimeout(() => void turn(), document.hidden ? 5 * EVERY_MS : EVERY_MS);
  }
  void turn();
  byId("main").focus({ preventScroll: true });
}

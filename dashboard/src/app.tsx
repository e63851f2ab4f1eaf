// Begins: state, then what loads into it, then what is drawn from it.

import { render } from "preact";
import { Curves } from "./load/curves";
import { Live } from "./load/live";
import { Questions } from "./load/questions/page";
import type { Act } from "./render/act";
import { Page } from "./render/page";
import { arrived, outdated, Store } from "./state/model";
import { read, toggled, write } from "./state/route";
import { titleOf } from "./state/title";

const store = new Store((draw) => (document.hidden ? window.setTimeout(draw, 250) : requestAnimationFrame(draw)));
const questions = new Questions(store);
const curves = new Curves(store);
const live = new Live(store, {
  news: (series) => {
    questions.news(series);
    curves.news(series);
  },
  missed: curves.missed,
});
const root = document.getElementById("app") as HTMLElement;
const spoken = document.getElementById("spoken") as HTMLElement;

const act: Act = {
  go(change, replace = false) {
    const address = write(change(store.state.route, store.state.now));
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    arrive();
  },
  curve: curves.cameIntoSight,
  cursor: (at) => store.change((state) => (state.cursor === at ? null : { cursor: at })),
  toggle: (series) => act.go((route) => toggled(route, series), true),
  select: (marking) => store.change(() => ({ marking })),
  refreshChart: () => store.change(({ chart, chartEvents }) => ({ chart: outdated(chart), chartEvents: outdated(chartEvents) })),
  say: (text) => {
    spoken.textContent = text;
  },
};

function arrive(): void {
  const route = read(location.hash);
  const other = route.page !== store.state.route.page;
  store.change((state) => arrived(state, route));
  if (other) window.scrollTo(0, 0);
}

store.listen((state) => {
  questions.askForPage(state);
  document.title = titleOf(state.route);
  render(<Page state={store.state} act={act} />, root); // with what asking has changed: answers of another address are gone
  if (!store.state.chart.busy) live.follow();
});
window.addEventListener("popstate", arrive);
window.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && store.state.route.kiosk) act.go((route) => ({ ...route, kiosk: false }), true);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => store.change(() => ({})));
store.change(() => ({ route: read(location.hash) }));
questions.askForPage(store.state); // at once: the first drawing comes with the next frame
live.begin();

// What the tab of the browser, its history and its bookmarks call a page.

import type { PageName, Route } from "./route";

/** The kinds of pages. The overview is named by the program alone, a sensor by its own name. */
const NAMES: Record<PageName, string> = {
  overview: "",
  sensor: "",
  chart: "Chart",
  events: "Events",
  alarms: "Alarms",
  use: "Consumption",
  year: "Year",
  rose: "Wind",
  database: "Database",
};

/** The title of the page that an address shows: of a sensor its name, of a chart its first series and how many more. */
export function titleOf({ page, sensor, series }: Route): string {
  const [first = "", ...more] = page === "sensor" ? [sensor] : series;
  const subject = first && more.length ? `${first} +${more.length}` : first;
  return [subject, NAMES[page], "sensorlogd"].filter(Boolean).join(" · ");
}

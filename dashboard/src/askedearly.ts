// Asks for the series that the address of a chart names in full, while the page's script, which is fifty times as long, is on its way.

import { fetchBuckets } from "./load/buckets";
import { charted, chartKey, plain } from "./load/charted";
import { bounds, read } from "./state/route";

const route = read(location.hash);
if (route.page === "chart" && plain(route.series)) {
  const [since, until] = bounds(route, Date.now() / 1000);
  const answer = fetchBuckets(charted(route.series, since, until));
  answer.catch(() => undefined); // whoever takes it handles that
  window.sensorlogdAskedEarly = { key: chartKey(route), since, until, answer };
}

// A page whose address does not say what to show goes to one that does.

import { useLayoutEffect } from "preact/hooks";
import type { Route } from "../state/route";
import type { Act } from "./act";

/** Goes to `route` once the page is drawn, in place of the present address; null: stays. True: it goes, so draw nothing. */
export function useInstead(act: Act, route: Route | null): boolean {
  useLayoutEffect(() => {
    if (route) act.go(() => route, true);
  });
  return route !== null;
}

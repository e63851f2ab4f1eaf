// What index.html has the browser ask beforehand is what the script asks first.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Live } from "../../src/load/live";
import { Store } from "../../src/state/model";

test("the preload in index.html is the first question, letter by letter", () => {
  const asked: string[] = [];
  const never = new Promise<Response>(() => undefined);
  const define = (name: string, value: unknown) => Object.defineProperty(globalThis, name, { value, configurable: true });
  define("document", { baseURI: "http://test/proxy/#/chart" });
  define("window", { setTimeout: () => 0 });
  define("fetch", (url: string) => {
    asked.push(url);
    return never;
  });
  new Live(new Store(() => undefined), undefined as never).begin(); // nobody has to hear of readings
  const [, preload] = /rel="preload" as="fetch" href="([^"]*)"/.exec(readFileSync("src/render/index.html", "utf8")) ?? [];
  assert.ok(preload);
  assert.deepEqual(asked, [`http://test/proxy/${preload}`]);
});

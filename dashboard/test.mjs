// Bundles tests/**/*.test.ts and gives them to node's own test runner.

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const folder = await mkdtemp(join(tmpdir(), "dashboard-tests-"));
const found = (await readdir("tests", { recursive: true })).filter((name) => name.endsWith(".test.ts"));
await build({
  entryPoints: found.map((name) => `tests/${name}`),
  outdir: folder,
  outbase: "tests",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  logLevel: "warning",
});
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=dot", folder], { stdio: "inherit" });
await rm(folder, { recursive: true });
process.exit(status ?? 1);

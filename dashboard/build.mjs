// Bundles the dashboard into the package: sensorlogd/web/static/{index.html,app.js,app.css}.
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";

const target = new URL("../sensorlogd/web/static/", import.meta.url).pathname;
await mkdir(target, { recursive: true });
await build({
  entryPoints: ["src/app.ts", "src/app.css"],
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome100", "firefox100", "safari15"],
  legalComments: "inline",
  logLevel: "warning",
});
for (const file of ["index.html", "icon.svg"]) await copyFile(`src/${file}`, target + file);

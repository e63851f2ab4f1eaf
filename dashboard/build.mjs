// Bundles the dashboard into the package: sensorlogd/web/static/{index.html,askedearly.js,app.js,app.css}.

import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const target = new URL("../sensorlogd/web/static/", import.meta.url).pathname;
await mkdir(target, { recursive: true });
await build({
  entryPoints: [
    { in: "src/askedearly.ts", out: "askedearly" },
    { in: "src/app.tsx", out: "app" },
    { in: "src/render/style/app.css", out: "app" },
  ],
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  jsx: "automatic",
  jsxImportSource: "preact",
  target: ["chrome100", "firefox100", "safari15"],
  legalComments: "inline",
  logLevel: "warning",
});
for (const file of ["index.html", "icon.svg"]) await copyFile(`src/render/${file}`, target + file);

// SPDX-License-Identifier: Apache-2.0
// Bundles what browsers load: node build.mjs FOLDER. Called by tools/web.py, which checks the result.
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const folder = process.argv[2];
const banner = { js: "// SPDX-License-Identifier: Apache-2.0 AND MIT\n// Made by make web." };

await build({
  absWorkingDir: here,
  entryPoints: {
    label: "src/label/main.js",
    sw: "src/label/sw.js",
    wallet: "src/wallet/main.js",
    pace: "src/pace/main.js",
  },
  outdir: folder,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "eof",
  charset: "utf8",
  banner,
  logLevel: "warning",
});

// What needs no bundler is copied as it stands.
for (const path of ["label/label.html", "label/label.css", "wallet/wallet.css", "pace/pace.css"]) {
  await writeFile(join(folder, basename(path)), await readFile(join(here, "src", path)));
}

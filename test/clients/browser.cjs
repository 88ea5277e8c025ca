// Drives @conda-org/rattler, rattler compiled for the browser, from Node.
//
//   node browser.cjs solve --channel URL --spec SPEC [--platform SUBDIR]…
//   node browser.cjs versions            (a JSON list of versions on standard input)
//
// solve prints {"records": [{"url", "name", "version", "build", "filename", "sha256" …}]}, versions
// {"groups": [[equal versions]…] from old to new, "invalid": {version: why}}, each in the form that
// README.md describes. This client sends no HEAD requests and keeps no cache.
"use strict";

const { parseArgs } = require("node:util");
const { text } = require("node:stream/consumers");

globalThis.crypto ??= require("node:crypto").webcrypto; // Node 18 has what browsers have, but hides it
const rattler = require("@conda-org/rattler");

async function solve(args) {
  const found = await rattler.simpleSolve(args.spec, args.channel, args.platform, null);
  const records = found.map((p) => ({
    url: p.url,
    name: p.packageName,
    version: p.version,
    build: p.build,
    build_number: Number(p.buildNumber),
    file_name: p.filename,
    subdir: p.subdir,
    size: Number(p.size),
    md5: p.md5,
    sha256: p.sha256,
    depends: p.depends,
  }));
  records.sort((a, b) => (a.file_name < b.file_name ? -1 : 1));
  return { records };
}

async function versions() {
  const valid = [];
  const invalid = {};
  for (const source of JSON.parse(await text(process.stdin))) {
    try {
      valid.push({ source, version: new rattler.Version(source) });
    } catch (err) {
      invalid[source] = String(err);
    }
  }
  valid.sort((a, b) => a.version.compare(b.version));
  const groups = [];
  valid.forEach(({ source, version }, i) => {
    if (i === 0 || !version.equals(valid[i - 1].version)) groups.push([]);
    groups.at(-1).push(source);
  });
  return { groups, invalid };
}

function print(answer) {
  process.stdout.write(JSON.stringify(answer, null, 1) + "\n");
  process.exitCode = answer.ok ? 0 : 1;
}

const does = { solve, versions };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    channel: { type: "string", multiple: true, default: [] },
    spec: { type: "string", multiple: true, default: [] },
    platform: { type: "string", multiple: true, default: ["linux-64", "noarch"] },
  },
});
if (positionals.length !== 1 || !(positionals[0] in does)) {
  console.error(`usage: node browser.cjs ${Object.keys(does).join("|")} …`);
  process.exit(2);
}
does[positionals[0]](values).then(
  (result) => print({ ok: true, ...result }),
  (err) => print({ ok: false, error: String(err?.message ?? err), kind: err?.name ?? typeof err }),
);

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../tools/paths.js";
import { type KeyRow, loadCore } from "./core.js";

const DOCUMENTS = [
  ...readdirSync(ROOT).filter((file) => file.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`),
];

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Cells of a Markdown table's rows whose first cell is a code span. */
function rows(markdown: string): string[][] {
  return markdown
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

const core = loadCore();

test("README's table of configuration says what the parser does", () => {
  const values = ({ type, unlimited, min, max, choices }: KeyRow) => {
    if (type === "choice") return choices.join(", ");
    return type === "boolean" ? "true, false" : `${unlimited ? "-1, " : ""}${min} to ${max}`;
  };
  const section = read("README.md").split("## Configuration")[1]!.split("\n## ")[0]!;
  expect(rows(section)).toEqual(
    core.keys().map((key) => [`\`${key.name}\``, values(key), String(key.default), key.meaning]),
  );
});

test("the sample shows every key with its default", () => {
  for (const { name, default: value } of core.keys()) {
    expect(read("envoy/envoy.yaml")).toMatch(new RegExp(`^ +${name}: ${value}$`, "m"));
  }
});

test("every statistic is documented, and nothing else is", () => {
  const source = read("assembly/metrics.ts");
  const names = [...source.matchAll(/new Metric\(\s*MetricType\.\w+,\s*"(\w+)"/g)].map(
    ([, name]) => `evenkeel_${name!}`,
  );
  expect(names.length).toBeGreaterThanOrEqual(7);
  const documented = (path: string) =>
    rows(read(path))
      .map(([cell]) => /`(?:wasmcustom\.)?(evenkeel_\w+)`/.exec(cell!)?.[1])
      .filter((name) => name !== undefined);
  expect(documented("README.md").sort()).toEqual([...names].sort());
  expect(documented("docs/interface.md").sort()).toEqual([...names].sort());
});

test("every log line is documented", () => {
  const documented = read("docs/interface.md");
  const sources = ["warnings", "configure"].map((file) => read(`assembly/plugin/${file}.ts`));
  const lines = sources.join("\n").match(/"evenkeel: [^"]{20,40}/g)!;
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(documented).toContain(line.slice(1, 40));
});

test("the errors that are shown are the parser's", () => {
  const shown = read("docs/interface.md").match(/^invalid config: .*$/gm)!;
  const texts = [
    '{"max_requests_per_connection": 0}',
    '{"max_request": 5}',
    '{"jitter_percent": 1, "jitter_percent": 2}',
  ];
  expect(shown).toEqual(texts.map((text) => core.parse(text)));
});

describe.each(DOCUMENTS)("%s", (path) => {
  const text = read(path);

  test("links only to files and headings that exist", () => {
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file, anchor] = target!.split("#");
      const linked = file ? join(dirname(path), file) : path;
      expect(existsSync(join(ROOT, linked)), `${path} links to ${target!}`).toBe(true);
      if (!anchor) continue;
      const headings = [...read(linked).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replaceAll(/[^\w -]/g, "")
          .replaceAll(" ", "-"),
      );
      expect(headings, `${path} links to ${target!}`).toContain(anchor);
    }
  });

  test("shows only commands that a test runs", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!);
    const commands = blocks
      .join("")
      .split("\n")
      .map((line) => line.replace(/ +#.*$/, ""))
      .filter((line) => line !== "");
    for (const command of commands) {
      const npm = /^npm (?:run )?([\w:]+)$/.exec(command);
      // npm's scripts are what `npm test` is made of; demo.test.ts runs `npm start`.
      if (npm) expect(Object.keys(scripts)).toContain(npm[1]);
      else expect(RUN_ELSEWHERE).toContain(command);
    }
  });
});

/** Commands other than npm's, and the test that runs them. */
const RUN_ELSEWHERE = [
  // test/e2e/samples.test.ts
  "envoy -c envoy/envoy.yaml",
  "envoy/verify.sh",
  "envoy/verify.sh http://localhost:8000",
  // Needs a container engine: samples.test.ts checks the file and runs its setting as processes.
  "docker compose -f envoy/docker-compose.yaml up",
  // test/e2e/operation.test.ts
  'curl -s "http://localhost:9901/stats?filter=wasmcustom.evenkeel_"',
  'curl -s "http://localhost:9901/stats/prometheus?filter=evenkeel_"',
];

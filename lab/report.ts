import Table from "cli-table3";
import pc from "picocolors";
import type { PhaseResult } from "./phase.js";

const BAR_WIDTH = 30;

/** A bar of at most `width` blocks for a share between 0 and 1. */
export function bar(share: number, width = BAR_WIDTH): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  return "█".repeat(eighths >> 3) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths & 7]!;
}

/** The figures of both phases as a table, and the load of each Pod as bars. */
export function report(phases: PhaseResult[]): string {
  const lines: string[] = [];
  for (const phase of phases) {
    const total = phase.requests.reduce((sum, count) => sum + count, 0);
    lines.push("", pc.bold(phase.evenkeel ? "with evenkeel" : "without evenkeel"));
    for (const [pod, count] of phase.requests.entries()) {
      const share = total === 0 ? 0 : count / total;
      const drawn = bar(share).padEnd(BAR_WIDTH);
      const colored = phase.evenkeel ? pc.green(drawn) : pc.yellow(drawn);
      lines.push(
        `  Pod ${pod + 1} ${colored} ${percent(share)} ${String(count).padStart(6)} requests`,
      );
    }
  }
  const table = new Table({
    head: ["after the scale-up to 3 Pods", ...phases.map(title)],
    style: { head: [], border: [] },
    colAligns: ["left", ...phases.map(() => "right" as const)],
  });
  for (const pod of phases[0]?.requests.keys() ?? []) {
    table.push([`requests to Pod ${pod + 1}`, ...phases.map(({ requests }) => requests[pod]!)]);
  }
  table.push(
    ["reconnects", ...phases.map(({ reconnects }) => reconnects)],
    ["failed requests", ...phases.map(({ failed }) => failed)],
    ["load even after", ...phases.map(({ seconds_until_even }) => seconds(seconds_until_even))],
  );
  lines.push("", table.toString());
  return lines.join("\n");
}

/** One line that shows how the last requests were spread. */
export function progress(
  title: string,
  seconds: number,
  pods: number[],
  scaled: boolean,
  width = 16,
): string {
  const total = pods.reduce((sum, count) => sum + count, 0) || 1;
  const shown = scaled ? pods : pods.slice(0, 1);
  const bars = shown.map(
    (count, pod) => `Pod ${pod + 1} ${bar(count / total, width).padEnd(width)}`,
  );
  return `${title} ${seconds.toFixed(1).padStart(4)} s  ${bars.join(" ")}`;
}

function title({ evenkeel }: PhaseResult): string {
  return evenkeel ? "with evenkeel" : "without";
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`.padStart(5);
}

function seconds(value: number | null): string {
  return value === null ? "never" : `${value.toFixed(1)} s`;
}

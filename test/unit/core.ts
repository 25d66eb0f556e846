import { readFileSync } from "node:fs";
import { instantiateSync } from "@assemblyscript/loader";
import { CORE } from "../../tools/paths.js";

/** Exports of assembly/core.ts; strings and buffers are pointers into the module's memory. */
interface CoreExports extends Record<string, unknown> {
  version(): number;
  parse(bytes: number): number;
  limit(bytes: number, protocol: Protocol, hash: bigint): number;
  describeKey(index: number): number;
  decide(spent: number, limit: number, shadowMode: boolean): number;
  hashConnection(id: bigint, seed: bigint): bigint;
  jittered(limit: number, percent: number, hash: bigint): number;
  requestLine(bytes: number): number;
  newTable(bound: number, seed: bigint): void;
  resizeTable(bound: number): void;
  request(id: bigint, seconds: number, cost: number): number;
  spent(id: bigint, seconds: number): number;
  setProtocol(id: bigint, protocol: Protocol): void;
  protocol(id: bigint): Protocol;
  setDrainAsked(id: bigint, seconds: number): void;
  drainAsked(id: bigint): number;
  expire(seconds: number, records: number): void;
  tracked(): number;
  evicted(): bigint;
  capacity(): number;
  newClock(): void;
  advanceClock(nanoseconds: bigint): number;
}

export const enum Protocol {
  Unknown = 0,
  Http1 = 1,
  Http2 = 2,
  Http3 = 3,
}

export interface KeyRow {
  name: string;
  type: "integer" | "boolean" | "choice";
  min: number;
  max: number;
  unlimited: boolean;
  default: number | boolean | string;
  choices: string[];
  meaning: string;
}

const bytes = readFileSync(CORE);

/** A fresh instance of the pure core. */
export function loadCore() {
  const { exports } = instantiateSync<CoreExports>(bytes);
  const text = (pointer: number) => exports.__getString(pointer);

  function buffer(config: string | Uint8Array): number {
    const content = typeof config === "string" ? new TextEncoder().encode(config) : config;
    return exports.__newArrayBuffer(new Uint8Array(content).buffer);
  }

  return {
    ...exports,
    version: () => text(exports.version()),
    /** The effective configuration as JSON, or the error. */
    parse: (config: string | Uint8Array) => text(exports.parse(buffer(config))),
    requestLine: (bytes: string) => exports.requestLine(buffer(Buffer.from(bytes, "latin1"))),
    request: (id: bigint, seconds: number, cost: number) =>
      exports.request(id, seconds, cost) >>> 0,
    spent: (id: bigint, seconds: number) => exports.spent(id, seconds) >>> 0,
    limit: (config: string, protocol: Protocol, hash = 0n) =>
      exports.limit(buffer(config), protocol, hash),
    keys(): KeyRow[] {
      const rows: KeyRow[] = [];
      for (;;) {
        const row = text(exports.describeKey(rows.length));
        if (row === "") return rows;
        rows.push(JSON.parse(row) as KeyRow);
      }
    },
  };
}

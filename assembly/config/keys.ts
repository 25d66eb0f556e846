/**
 * Every configuration key: its name, its range, its default and its meaning. The parser reads these
 * rows, and the table in README.md is tested against them, so a key is described once.
 */

/** Value of a limit that never applies. */
export const UNLIMITED: i32 = -1;

/** Index of a key's row in `KEYS`. */
export const enum Key {
  MaxRequestsPerConnection,
  MaxStreamsPerConnection,
  JitterPercent,
  ShadowMode,
  MaxTrackedConnections,
  Drain,
}

/** Values of `drain`: how a connection is told to end. */
export const enum DrainMode {
  /** Through the network filter where it sees the connection and can, through the helper elsewhere. */
  Auto,
  /** The mark and the Lua helper. */
  Lua,
  /** A header that the network filter inserts; HTTP/1.x only. */
  Network,
}

export const enum KeyType {
  /** An integer from `min` to `max`. */
  Integer,
  /** As `Integer`, or -1 for "never". */
  Limit,
  Boolean,
  /** One of `choices`; the value is its index. */
  Choice,
}

export class KeyRow {
  constructor(
    readonly name: string,
    readonly type: KeyType,
    readonly min: i32,
    readonly max: i32,
    /** For a boolean 0 is false. */
    readonly defaultValue: i32,
    /** One sentence in Markdown for the platform engineer. */
    readonly meaning: string,
    readonly choices: string[] = [],
  ) {}

  /** What the key takes, as an error message says it. */
  get allowed(): string {
    if (this.type == KeyType.Boolean) return "true or false";
    if (this.type == KeyType.Choice) return 'one of "' + this.choices.join('", "') + '"';
    const range = "from " + this.min.toString() + " to " + this.max.toString();
    if (this.type == KeyType.Limit) return "-1 (never) or an integer " + range;
    return "an integer " + range;
  }

  accepts(value: f64): bool {
    if (this.type == KeyType.Limit && value == <f64>UNLIMITED) return true;
    return value >= <f64>this.min && value <= <f64>this.max && Math.trunc(value) == value;
  }

  /** A value of this key as JSON. */
  show(value: i32): string {
    if (this.type == KeyType.Boolean) return value ? "true" : "false";
    if (this.type == KeyType.Choice) return '"' + this.choices[value] + '"';
    return value.toString();
  }
}

/** In the order of `Key`. */
export const KEYS: KeyRow[] = [
  new KeyRow(
    "max_requests_per_connection",
    KeyType.Limit,
    1,
    i32.MAX_VALUE,
    100,
    "HTTP/1.x: the response to this request of a connection is its last; 1 ends every connection after one response, -1 never ends one.",
  ),
  new KeyRow(
    "max_streams_per_connection",
    KeyType.Limit,
    1,
    i32.MAX_VALUE,
    1000,
    "The same for HTTP/2 and HTTP/3, where one connection carries many streams at once.",
  ),
  new KeyRow(
    "jitter_percent",
    KeyType.Integer,
    0,
    100,
    10,
    "Each connection's limit is lowered by a share of up to this much, chosen once, so that clients that connected together do not reconnect together; 0 is exact.",
  ),
  new KeyRow("shadow_mode", KeyType.Boolean, 0, 1, 0, "Decide and count, but end no connection."),
  new KeyRow(
    "max_tracked_connections",
    KeyType.Integer,
    1,
    1048576,
    65536,
    "Size of the table of connections, per worker thread (32 bytes each); when it is full, the connection that was unused for longest starts counting again.",
  ),
  new KeyRow(
    "drain",
    KeyType.Choice,
    0,
    2,
    DrainMode.Auto,
    "How a connection is told to end: `lua` through the helper, `network` through evenkeel's network filter (HTTP/1.x only), `auto` through the network filter where it sees the connection and through the helper elsewhere.",
    ["auto", "lua", "network"],
  ),
];

/** The names of all keys, as an error message lists them. */
export function keyNames(): string {
  const names: string[] = [];
  for (let i = 0; i < KEYS.length; i++) names.push(KEYS[i].name);
  return names.join(", ");
}

/** Index of the key with this name, or -1. */
export function keyIndex(name: string): i32 {
  for (let i = 0; i < KEYS.length; i++) {
    if (KEYS[i].name == name) return i;
  }
  return -1;
}

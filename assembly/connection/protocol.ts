/** The HTTP version of a connection, as far as limits care. Two bits of a record of the table. */
export const enum Protocol {
  /** The host did not tell. */
  Unknown = 0,
  Http1 = 1,
  Http2 = 2,
  Http3 = 3,
}

/** What one peer, and all of them together, may take of the public listener. */
export interface PublicLimits {
  readonly bodyBytes: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
  /** Longest message of a stream. The largest known one is a start with all its parameters, under 8 KiB. */
  readonly messageBytes: number;
  /** Streams that have not said `start` yet: all together, and young ones of one address (a proxy counts as one). */
  readonly pendingStreams: number;
  readonly youngStreamsPerAddress: number;
  /**
   * A carrier sends 50 messages a second; four times that is no carrier any more. But when a link stalls, TCP delivers
   * what has piled up in one go, so the burst holds 40 s of frames: longer than any stall that a call survives.
   */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Bytes waiting in our own memory for a peer that does not read; the call itself stops sending long before. */
  readonly bufferedBytes: number;
  readonly pingEveryMs: number;
  /** From asking a peer to close until its socket is destroyed. */
  readonly closeGraceMs: number;
  /** For an answer document that needs the carrier's API; carriers give up on a webhook after 10 to 15 s. */
  readonly answerDeadlineMs: number;
}

/** @param maxCalls calls at the same time; each needs one stream and, for moments, a connection for its webhooks */
export function publicLimits(maxCalls: number): PublicLimits {
  return {
    bodyBytes: 64 * 1024,
    headersTimeoutMs: 5_000,
    requestTimeoutMs: 10_000,
    maxConnections: 200 + 4 * maxCalls,
    messageBytes: 64 * 1024,
    pendingStreams: Math.max(200, maxCalls),
    youngStreamsPerAddress: Math.max(100, maxCalls),
    messagesPerSecond: 200,
    messageBurst: 2_000,
    bufferedBytes: 1024 * 1024,
    pingEveryMs: 20_000,
    closeGraceMs: 2_000,
    answerDeadlineMs: 8_000,
  };
}

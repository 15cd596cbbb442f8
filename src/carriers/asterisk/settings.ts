/** What the owner of an Asterisk tells us about it. */
export interface AsteriskSettings {
  /** What Asterisk's WebSocket client shows us at the handshake (`websocket_client.conf`). */
  readonly username: string;
  /** Newest first. All of them are let in. */
  readonly passwords: readonly string[];
  /** Asterisk's REST interface, or null where calls are only ended by the stream. */
  readonly ari: AriSettings | null;
}

export interface AriSettings {
  /** Its address, with or without `/ari`. */
  readonly url: string;
  readonly username: string;
  /** Newest first; the first one that is accepted is used. */
  readonly passwords: readonly string[];
  /** Asterisk transfers and sends tones only for callers that are in an ARI application of the PBX's owner. */
  readonly callersInStasis?: boolean;
  /** How calls are placed; without it none can be. */
  readonly dial?: {
    /** With `{number}` where the number belongs: `PJSIP/{number}@trunk`. */
    readonly endpoint: string;
    /** Where the dialplan takes over once somebody has answered, and connects the stream. */
    readonly extension: string;
    readonly context: string;
  };
}

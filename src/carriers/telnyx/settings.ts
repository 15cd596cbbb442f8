import type { MediaFormat } from '../carrier.ts';

/** What the owner of a Telnyx account tells us about it. */
export interface TelnyxSettings {
  /** Newest first: the first one that the API accepts is used. They also make our own stream tokens. */
  readonly apiKeys: readonly string[];
  /** The portal's public keys, base64 of 32 bytes each. All of them verify webhooks. */
  readonly publicKeys: readonly string[];
  /** The Call Control application that places calls; without it none can be placed. */
  readonly connectionId?: string;
  /** What we send, and ask to be sent; what Telnyx then does send, its `start` says. */
  readonly audio: MediaFormat;
  /** Telnyx does not document the byte order of L16; what is known to work is little-endian. */
  readonly l16Order: 'little' | 'big';
  /** Another origin for the API (a test, a proxy), or null where there is none: then only TeXML calls can be taken. */
  readonly apiBaseUrl?: string | null;
}

/** Where Telnyx finds us: all addresses that we ever hand to it. `publicUrl` is an origin. */
export interface TelnyxAddresses {
  readonly voice: string;
  readonly after: string;
  readonly events: string;
  /** The stream's address of a path: `wss://`, or `ws://` for a loopback origin on plain http. */
  stream(path: string): string;
}

export function telnyxAddresses(publicUrl: string): TelnyxAddresses {
  const { origin } = new URL(publicUrl);
  return {
    voice: `${origin}/telnyx/voice`,
    after: `${origin}/telnyx/after`,
    events: `${origin}/telnyx/events`,
    stream: (path) => origin.replace(/^http/, 'ws') + path,
  };
}

/** Telnyx's names of our encodings. */
export const CODEC_NAMES = { pcmu: 'PCMU', pcma: 'PCMA', l16: 'L16' } as const;

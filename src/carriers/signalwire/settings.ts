import type { MediaFormat } from '../carrier.ts';

/** What the owner of a SignalWire space tells us about it. */
export interface SignalwireSettings {
  /** `example`, or the whole name `example.signalwire.com`. */
  readonly space: string;
  readonly projectId: string;
  /** Newest first: the first one that the API accepts is used. */
  readonly apiTokens: readonly string[];
  /** The project's signing keys (not its API tokens), newest first. All of them verify webhooks. */
  readonly signingKeys: readonly string[];
  /** Of both directions. SignalWire offers PCMU at 8 kHz and L16 at 16 and 24 kHz. */
  readonly audio: MediaFormat;
  /** Another origin for the API (a test, a proxy), or null where there is no API: then calls end by closing the stream. */
  readonly apiBaseUrl?: string | null;
}

/** Where SignalWire finds us: all addresses that we ever hand to it. `publicUrl` is an origin. */
export interface SignalwireAddresses {
  readonly voice: string;
  readonly after: string;
  readonly events: string;
  /** The stream's address of a path: `wss://`, or `ws://` for a loopback origin on plain http. */
  stream(path: string): string;
}

export function signalwireAddresses(publicUrl: string): SignalwireAddresses {
  const { origin } = new URL(publicUrl);
  return {
    voice: `${origin}/signalwire/voice`,
    after: `${origin}/signalwire/after`,
    events: `${origin}/signalwire/events`,
    stream: (path) => origin.replace(/^http/, 'ws') + path,
  };
}

/** Null where there is no API. */
export function apiOrigin({ space, apiBaseUrl }: SignalwireSettings): string | null {
  if (apiBaseUrl !== undefined) return apiBaseUrl;
  return `https://${space.includes('.') ? space : `${space}.signalwire.com`}`;
}

import type { MediaFormat } from '../carrier.ts';

/** What Plivo's `contentType` offers. */
export const PLIVO_AUDIO = ['pcmu', 'l16@8000', 'l16@16000', 'l16@24000'] as const;
export type PlivoAudio = (typeof PLIVO_AUDIO)[number];

/** What the owner of a Plivo account tells us about it. */
export interface PlivoSettings {
  /** `MA…`, or `SA…` of a subaccount: the account that the number belongs to. */
  readonly authId: string;
  /** Newest first. All of them verify; the first one that the API accepts is used for it. */
  readonly authTokens: readonly string[];
  /** What is asked of Plivo; `pcmu` when absent. What its `start` then says is what counts. */
  readonly audio?: PlivoAudio;
  /** Whether a stream's handshake without a signature is refused. A wrong signature always is. */
  readonly verifyStream?: 'required' | 'when-present';
  /** Another origin for the API (a test, a proxy), or null where there is no API: then calls end by closing the stream. */
  readonly apiBaseUrl?: string | null;
}

/** Where Plivo finds us: all addresses that we ever hand to it. `publicUrl` is an origin. */
export interface PlivoAddresses {
  readonly voice: string;
  readonly after: string;
  readonly events: string;
  /** The stream's address of a path: `wss://`, or `ws://` for a loopback origin on plain http. */
  stream(path: string): string;
}

export function plivoAddresses(publicUrl: string): PlivoAddresses {
  const { origin } = new URL(publicUrl);
  return {
    voice: `${origin}/plivo/voice`,
    after: `${origin}/plivo/after`,
    events: `${origin}/plivo/events`,
    stream: (path) => origin.replace(/^http/, 'ws') + path,
  };
}

/** The stream's `contentType`, always written: Plivo's documents disagree on its default. */
export function contentTypeOf(audio: PlivoAudio): string {
  const [codec, rate = '8000'] = audio.split('@');
  return `audio/x-${codec === 'pcmu' ? 'mulaw' : 'l16'};rate=${rate}`;
}

/** @param encoding as in `start`; anything behind a semicolon repeats the rate. @returns null for what we cannot take */
export function formatOf(encoding: string, sampleRate: number): MediaFormat | null {
  const name = encoding.split(';', 1)[0]?.trim().toLowerCase();
  if (name === 'audio/x-mulaw' && sampleRate === 8000) return { encoding: 'pcmu', sampleRate };
  if (name !== 'audio/x-l16') return null;
  return sampleRate === 8000 || sampleRate === 16000 || sampleRate === 24000
    ? { encoding: 'l16', sampleRate }
    : null;
}

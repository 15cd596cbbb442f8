import type { MediaFormat } from '../carrier.ts';

/** What the owner of a Vonage account tells us about it. */
export interface VonageSettings {
  readonly applicationId: string;
  /** The application's RSA keys as PEM text, newest first: what signs our requests of the API. */
  readonly privateKeys: readonly string[];
  /** The account's signature secrets, newest first. All of them verify. */
  readonly signatureSecrets: readonly string[];
  /** Vonage sends and takes L16 at this rate, in hertz. */
  readonly sampleRate: 8000 | 16000 | 24000;
  /** Whether a stream's handshake without a token of Vonage's is refused. A wrong one always is. */
  readonly verifyStream: 'required' | 'when-present';
  /** Another origin for the API (a test, a proxy), or null where there is no API: then calls end by closing the stream. */
  readonly apiBaseUrl?: string | null;
}

export const API_ORIGIN = 'https://api.nexmo.com';

/** Vonage finds the nearest region by itself, but a call is best controlled where it is. No other host gets our token. */
const REGION = /^https:\/\/api-[a-z]{2}(?:-[0-9]{1,2})?\.(?:vonage|nexmo)\.com$/;
const MAX_CALLS = 4096;

/** Both ways alike: the stream has one format. */
export function vonageFormat(sampleRate: MediaFormat['sampleRate']): MediaFormat {
  return { encoding: 'l16', sampleRate };
}

/** Where each call can be controlled, as its signed webhook said. Bounded: the oldest calls are forgotten first. */
export class RegionBook {
  readonly #originOf = new Map<string, string>();

  /** `region` is `region_url` as it came; anything that is no API of Vonage's is left out. */
  note(callId: string, region: unknown): void {
    if (typeof region !== 'string' || !REGION.test(region)) return;
    this.#originOf.delete(callId);
    this.#originOf.set(callId, region);
    for (const oldest of this.#originOf.keys()) {
      if (this.#originOf.size <= MAX_CALLS) break;
      this.#originOf.delete(oldest);
    }
  }

  of(callId: string): string {
    return this.#originOf.get(callId) ?? API_ORIGIN;
  }
}

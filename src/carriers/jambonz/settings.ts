import type { MediaFormat } from '../carrier.ts';

/** Linear samples at any rate; what suits is the rate of the call itself, since marks do not survive a resampler. */
export const JAMBONZ_AUDIO = ['l16@8000', 'l16@16000', 'l16@24000'] as const;
export type JambonzAudio = (typeof JAMBONZ_AUDIO)[number];

/** What the owner of a jambonz account tells us about it. */
export interface JambonzSettings {
  readonly accountSid: string;
  /** Newest first. All of them verify. */
  readonly webhookSecrets: readonly string[];
  /** Newest first; the first one that the API accepts is used. */
  readonly apiKeys: readonly string[];
  /** Where the API is, with or without `/v1`; null where there is none: then calls end by closing the stream. */
  readonly apiBaseUrl: string | null;
  /** The application whose webhooks point at us. Calls cannot be placed without it. */
  readonly applicationSid?: string | null;
  /** `l16@8000` when absent. */
  readonly audio?: JambonzAudio;
}

/** Where jambonz finds us: all addresses that we ever hand to it. `publicUrl` is an origin. */
export interface JambonzAddresses {
  readonly after: string;
  readonly events: string;
  /** The stream's address of a path: `wss://`, or `ws://` for a loopback origin on plain http. */
  stream(path: string): string;
}

export function jambonzAddresses(publicUrl: string): JambonzAddresses {
  const { origin } = new URL(publicUrl);
  return {
    after: `${origin}/jambonz/after`,
    events: `${origin}/jambonz/events`,
    stream: (path) => origin.replace(/^http/, 'ws') + path,
  };
}

export function jambonzFormat(audio: JambonzAudio = 'l16@8000'): MediaFormat {
  const sampleRate = { 'l16@8000': 8000, 'l16@16000': 16000, 'l16@24000': 24000 } as const;
  return { encoding: 'l16', sampleRate: sampleRate[audio] };
}

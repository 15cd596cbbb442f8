import type { MediaFormat, MediaPort } from '../carrier.ts';
import { MediaReader } from '../media-reader.ts';
import { createMediaStreamsPort, type MediaStreamsDialect } from '../media-streams.ts';
import type { DeclaredFormat } from '../text-stream.ts';

/**
 * SignalWire's streams: Twilio's messages, with keys that can be sent, and the stream's id in `start` alone: none of the
 * other messages need have it. The codec of the answer document is that of both directions. Source: SignalWire, "cXML:
 * Stream" (also fixtures/carriers/signalwire).
 */
const NAMES = { stream: 'streamSid', sequence: 'sequenceNumber' };
const PLAIN_ID = /^[A-Za-z0-9_:.+-]{1,128}$/;

const DIALECT: MediaStreamsDialect = {
  formatOf,
  wanted: 'audio/x-mulaw at 8000 Hz, or audio/x-L16 at 8000, 16000 or 24000 Hz',
  pressesKeys: true,
  createReader(streamSid) {
    if (!PLAIN_ID.test(streamSid)) return () => null;
    const reader = new MediaReader(NAMES, streamSid);
    return (data) =>
      reader.read(data) ? { type: 'audio', payload: reader.payload, mediaTimeMs: reader.timestamp } : null;
  },
};

export function createSignalwireMediaPort(): MediaPort {
  return createMediaStreamsPort(DIALECT);
}

function formatOf({ encoding, sampleRate, channels }: DeclaredFormat): MediaFormat | null {
  if (channels !== 1) return null;
  if (encoding === 'audio/x-mulaw' && sampleRate === 8000) return { encoding: 'pcmu', sampleRate };
  // Documented as `audio/x-L16`; the case of a media type's name means nothing (RFC 6838).
  if (encoding.toLowerCase() !== 'audio/x-l16') return null;
  if (sampleRate === 8000 || sampleRate === 16000 || sampleRate === 24000) {
    return { encoding: 'l16', sampleRate };
  }
  return null;
}

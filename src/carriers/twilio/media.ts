import type { MediaFormat, MediaPort } from '../carrier.ts';
import { createMediaStreamsPort, type MediaStreamsDialect } from '../media-streams.ts';
import { readUsualMedia } from './usual-media.ts';

/**
 * Twilio Media Streams, the bidirectional kind: JSON in text frames, PCMU at 8 kHz as base64 both ways. Tones and hanging
 * up go through the API. Source: Twilio, "Media Streams: WebSocket messages" (also fixtures/carriers/twilio).
 */
export const TWILIO_FORMAT: MediaFormat = { encoding: 'pcmu', sampleRate: 8000 };

const DIALECT: MediaStreamsDialect = {
  formatOf: ({ encoding, sampleRate, channels }) =>
    encoding === 'audio/x-mulaw' && sampleRate === 8000 && channels === 1 ? TWILIO_FORMAT : null,
  wanted: 'audio/x-mulaw at 8000 Hz',
  pressesKeys: false,
  createReader(streamSid) {
    if (!/^[A-Za-z0-9]+$/.test(streamSid)) return () => null;
    const sid = Uint8Array.from(Buffer.from(streamSid, 'latin1'));
    return (data) => readUsualMedia(data, sid);
  },
};

export function createTwilioMediaPort(): MediaPort {
  return createMediaStreamsPort(DIALECT);
}

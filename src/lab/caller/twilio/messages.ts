/**
 * The words of Twilio Media Streams from the carrier's side. Source: Twilio, "Media Streams - WebSocket messages":
 * every number except those of the media format is a string; `start` has sequence number 1.
 */

export interface StreamIds {
  readonly accountSid: string;
  readonly callSid: string;
  readonly streamSid: string;
}

export const connectedMessage = (): string =>
  JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' });

export const startMessage = (
  ids: StreamIds,
  sequence: number,
  parameters: Readonly<Record<string, string>>,
): string =>
  JSON.stringify({
    event: 'start',
    sequenceNumber: String(sequence),
    start: {
      accountSid: ids.accountSid,
      streamSid: ids.streamSid,
      callSid: ids.callSid,
      tracks: ['inbound'],
      mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      customParameters: parameters,
    },
    streamSid: ids.streamSid,
  });

/** `chunk` counts from 1; `timestampMs` from the stream's start. */
export const mediaMessage = (
  ids: StreamIds,
  sequence: number,
  media: { readonly chunk: number; readonly timestampMs: number; readonly payload: Uint8Array },
): string =>
  JSON.stringify({
    event: 'media',
    sequenceNumber: String(sequence),
    media: {
      track: 'inbound',
      chunk: String(media.chunk),
      timestamp: String(media.timestampMs),
      payload: Buffer.from(media.payload).toString('base64'),
    },
    streamSid: ids.streamSid,
  });

export const dtmfMessage = (ids: StreamIds, sequence: number, digit: string): string =>
  JSON.stringify({
    event: 'dtmf',
    streamSid: ids.streamSid,
    sequenceNumber: String(sequence),
    dtmf: { track: 'inbound_track', digit },
  });

export const markMessage = (ids: StreamIds, sequence: number, name: string): string =>
  JSON.stringify({
    event: 'mark',
    sequenceNumber: String(sequence),
    streamSid: ids.streamSid,
    mark: { name },
  });

export const stopMessage = (ids: StreamIds, sequence: number): string =>
  JSON.stringify({
    event: 'stop',
    sequenceNumber: String(sequence),
    streamSid: ids.streamSid,
    stop: { accountSid: ids.accountSid, callSid: ids.callSid },
  });

export type GatewayMessage =
  | { readonly event: 'media'; readonly payload: Buffer }
  | { readonly event: 'mark'; readonly name: string }
  | { readonly event: 'clear' }
  /** What Twilio answers with warning 31951, once per stream. */
  | { readonly event: 'invalid'; readonly why: string };

const invalid = (why: string): GatewayMessage => ({ event: 'invalid', why });
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Reads what the gateway sends. Never throws. */
export function readGatewayMessage(text: string, streamSid: string): GatewayMessage {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return invalid('not JSON');
  }
  if (!isRecord(message)) return invalid('not an object');
  if (message['streamSid'] !== streamSid) return invalid('streamSid of another stream');
  const { event, media, mark } = message;
  if (event === 'clear') return { event };
  if (event === 'mark') {
    const name = isRecord(mark) ? mark['name'] : undefined;
    return typeof name === 'string' && name !== '' ? { event, name } : invalid('mark without a name');
  }
  if (event === 'media') {
    const encoded = isRecord(media) ? media['payload'] : undefined;
    if (typeof encoded !== 'string') return invalid('media without a payload');
    const payload = Buffer.from(encoded, 'base64');
    // Node decodes leniently; what does not encode back was not base64.
    return payload.toString('base64') === encoded ? { event, payload } : invalid('payload is not base64');
  }
  return invalid('unknown event');
}

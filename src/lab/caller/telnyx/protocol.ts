/**
 * Telnyx's media streaming from the carrier's side. Source: Telnyx, "Media streaming over WebSockets": numbers are
 * strings, the order of messages is not kept, marks come back at a clear, and chunks last 20 ms to 30 s.
 */
import { jsonFields } from '../api-server.ts';
import type { OpenProtocol } from '../protocol.ts';
import type { AgreedFormats } from './formats.ts';

const LEAST_CHUNK_MS = 20;
const MOST_CHUNK_MS = 30_000;
const DEFAULT_REORDER = 7;

export interface TelnyxStream {
  readonly streamId: string;
  readonly callControlId: string;
  readonly callSessionId: string;
  readonly from: string;
  readonly to: string;
  readonly clientState: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly authToken: string | null;
  readonly formats: AgreedFormats;
  /** One media message in so many is overtaken by the next one; 0: none. Default 7. */
  readonly reorderEvery?: number;
  readonly isoNow: () => string;
}

interface Held {
  readonly message: string;
  readonly number: number;
}

export function telnyxProtocol(stream: TelnyxStream): OpenProtocol {
  const { streamId, callControlId, formats, reorderEvery = DEFAULT_REORDER } = stream;
  return (host) => {
    let sequence = 0;
    let held: Held | null = null;
    const stamped = (event: string, fields: Readonly<Record<string, unknown>>): string => {
      sequence += 1;
      const numbered = { event, sequence_number: String(sequence), stream_id: streamId };
      return JSON.stringify({ ...numbered, ...fields });
    };
    const say = (event: string, fields: Readonly<Record<string, unknown>>): void => {
      host.send(event, stamped(event, fields));
    };
    const fail = (code: number, title: string, detail: string): void => {
      host.invalid(`${title}: ${detail}`);
      say('error', { payload: { code, title, detail } });
    };

    const takeMedia = (media: unknown): void => {
      const payload = payloadOf(media);
      if (payload === null) {
        fail(100004, 'invalid_media', 'no base64 payload');
        return;
      }
      if (!formats.isRaw) {
        host.invalid('the stream is in mp3 mode: raw audio is not played');
        return;
      }
      const lengthMs = payload.length / formats.heard.bytesPerMs;
      if (lengthMs > MOST_CHUNK_MS) {
        fail(100004, 'invalid_media', `a chunk of ${lengthMs} ms`);
        return;
      }
      if (lengthMs < LEAST_CHUNK_MS) host.invalid(`a chunk of ${lengthMs} ms; 20 ms at least are wanted`);
      host.play(payload);
    };

    return {
      sent: formats.sent,
      playout: { format: formats.heard, mostQueuedMs: 60_000 },
      start() {
        const token = stream.authToken === null ? {} : { stream_auth_token: stream.authToken };
        host.send('connected', JSON.stringify({ event: 'connected', version: '1.0.0', ...token }));
        say('start', {
          start: {
            user_id: '3E6F995F-85F7-4705-9741-53B116D28237',
            call_control_id: callControlId,
            call_session_id: stream.callSessionId,
            from: stream.from,
            to: stream.to,
            tags: [],
            ...(stream.clientState === null ? {} : { client_state: stream.clientState }),
            custom_parameters: stream.parameters,
            media_format: {
              encoding: formats.sentName,
              sample_rate: formats.sent.sampleRate,
              channels: 1,
            },
          },
        });
      },
      media({ number, startMs, payload }) {
        const media = {
          track: 'inbound',
          chunk: String(number + 1),
          timestamp: String(startMs),
          payload: payload.toString('base64'),
        };
        const message = stamped('media', { media });
        if (held === null && reorderEvery > 0 && number % reorderEvery === reorderEvery - 1) {
          held = { message, number };
          return;
        }
        host.send('media', message, number);
        if (held !== null) host.send('media', held.message, held.number);
        held = null;
      },
      dtmf: (digit) => say('dtmf', { occurred_at: stream.isoNow(), dtmf: { digit } }),
      receive(data, isBinary) {
        const { event, media, mark } = jsonFields(isBinary ? '' : data.toString());
        if (event === 'media') takeMedia(media);
        else if (event === 'clear') host.clear();
        else if (event === 'mark') {
          const name = (mark as { name?: unknown } | null | undefined)?.name;
          if (typeof name === 'string' && name !== '') host.mark(name);
          else fail(100003, 'malformed_frame', 'a mark without a name');
        } else fail(100003, 'malformed_frame', 'no event that is known');
      },
      marked: (name) => say('mark', { mark: { name } }),
      cleared: () => {},
      tick: () => {},
      stop() {
        if (held !== null) host.send('media', held.message, held.number);
        held = null;
        say('stop', { stop: { user_id: '3E6F995F', call_control_id: callControlId } });
      },
    };
  };
}

function payloadOf(media: unknown): Buffer | null {
  const encoded = (media as { payload?: unknown } | null | undefined)?.payload;
  if (typeof encoded !== 'string') return null;
  const payload = Buffer.from(encoded, 'base64');
  // Node decodes leniently; what does not encode back was not base64.
  return payload.toString('base64') === encoded ? payload : null;
}

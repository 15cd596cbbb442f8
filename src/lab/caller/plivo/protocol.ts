/**
 * Plivo's audio streaming from the carrier's side. Source: Plivo, "Audio streaming protocol reference": numbers are
 * numbers, time stamps strings since 1970; checkpoints that are cleared never come back; there is no stop. That a clear
 * takes the longer the more is queued was reported; here it is a tenth of what is beyond a second, a second at most, and
 * what is sent meanwhile waits.
 */
import { jsonFields } from '../api-server.ts';
import type { LineFormat } from '../line-format.ts';
import type { OpenProtocol } from '../protocol.ts';

const MOST_QUEUED_MS = 60_000;
const MOST_MESSAGE_BYTES = 65_536;
const MOST_PAYLOAD_CHARACTERS = 16_384;
const QUICK_CLEAR_MS = 1_000;
const SLOWEST_CLEAR_MS = 1_000;
const MOST_WAITING = 10_000;

export interface PlivoStream {
  readonly callId: string;
  readonly streamId: string;
  readonly accountId: string;
  readonly format: LineFormat;
  /** As in `<Stream extraHeaders>`. */
  readonly extraHeaders: string;
  readonly epochMs: () => number;
}

export const plivoContentType = ({ encoding }: LineFormat): string =>
  encoding === 'pcmu' ? 'audio/x-mulaw' : 'audio/x-l16';

export function plivoProtocol(stream: PlivoStream): OpenProtocol {
  const { streamId, format, extraHeaders } = stream;
  const contentType = plivoContentType(format);
  return (host) => {
    let sequence = 0;
    let clearDueMs: number | null = null;
    /** What came behind a clear that has not taken effect. */
    let waiting: string[] = [];
    const say = (event: string, fields: Readonly<Record<string, unknown>>, frame?: number): void => {
      sequence += 1;
      host.send(event, JSON.stringify({ event, sequenceNumber: sequence, ...fields }), frame);
    };

    const play = (media: unknown): void => {
      const { contentType: type, sampleRate, payload } = (media ?? {}) as Record<string, unknown>;
      if (type !== contentType || sampleRate !== format.sampleRate) {
        host.invalid(
          `audio of "${String(type).slice(0, 40)}" at "${Number(sampleRate)}"; the stream's own is wanted`,
        );
      } else if (typeof payload !== 'string' || payload.length > MOST_PAYLOAD_CHARACTERS) {
        host.invalid('a payload that is missing or too large');
      } else {
        const audio = Buffer.from(payload, 'base64');
        // Node decodes leniently; what does not encode back was not base64.
        if (audio.toString('base64') === payload) host.play(audio);
        else host.invalid('payload is not base64');
      }
    };
    const obey = (text: string): void => {
      const message = jsonFields(text);
      const { event, name, dtmf } = message;
      const isOurs = message['streamId'] === streamId;
      if (event === 'playAudio') play(message['media']);
      else if (event === 'sendDTMF') {
        if (typeof dtmf === 'string' && /^[0-9*#wW]+$/.test(dtmf)) host.digits(dtmf);
        else host.invalid('sendDTMF without digits');
      } else if (event !== 'checkpoint' && event !== 'clearAudio') host.invalid('no event that is known');
      else if (!isOurs) host.invalid('streamId of another stream');
      else if (event === 'clearAudio') {
        const beyondMs = Math.max(0, host.queuedMs - QUICK_CLEAR_MS);
        clearDueMs = host.nowMs() + Math.min(SLOWEST_CLEAR_MS, beyondMs / 10);
      } else if (typeof name === 'string' && name !== '') host.mark(name);
      else host.invalid('checkpoint without a name');
    };
    /** One after the other, up to a clear that takes its time. */
    const workOff = (): void => {
      if (clearDueMs !== null && clearDueMs <= host.nowMs()) {
        clearDueMs = null;
        host.clear();
      }
      while (clearDueMs === null && waiting.length > 0) {
        obey(waiting.shift()!);
        if (clearDueMs !== null && clearDueMs <= host.nowMs()) {
          clearDueMs = null;
          host.clear();
        }
      }
    };

    return {
      sent: format,
      playout: { format, mostQueuedMs: MOST_QUEUED_MS },
      start() {
        const { callId, accountId } = stream;
        const mediaFormat = { encoding: contentType, sampleRate: format.sampleRate };
        say('start', {
          start: { callId, streamId, accountId, tracks: ['inbound'], mediaFormat },
          extra_headers: extraHeaders,
        });
      },
      media({ number, payload }) {
        const media = {
          track: 'inbound',
          timestamp: String(Math.round(stream.epochMs())),
          chunk: number + 1,
          payload: payload.toString('base64'),
        };
        say('media', { streamId, media, extra_headers: extraHeaders }, number);
      },
      dtmf(digit) {
        const timestamp = String(Math.round(stream.epochMs()));
        say('dtmf', { streamId, dtmf: { track: 'inbound', digit, timestamp }, extra_headers: extraHeaders });
      },
      receive(data, isBinary) {
        if (isBinary || data.length > MOST_MESSAGE_BYTES) host.invalid('binary, or more than 64 kB');
        else if (waiting.length >= MOST_WAITING) host.invalid('too much behind a clear');
        else {
          waiting.push(data.toString());
          workOff();
        }
      },
      marked(name, how) {
        if (how === 'played') say('playedStream', { streamId, name });
      },
      cleared: () => say('clearedAudio', { streamId }),
      tick: workOff,
      stop() {
        waiting = [];
      },
    };
  };
}

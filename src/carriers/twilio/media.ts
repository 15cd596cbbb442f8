import { z } from 'zod';
import type { MediaCommand, MediaEvent, MediaFormat, MediaPort } from '../carrier.ts';
import { createMarkJudge, type MarkJudge } from '../echoed-marks.ts';
import {
  CLOSE_PROTOCOL,
  CLOSE_UNSUPPORTED,
  fault,
  fieldOf,
  isObject,
  type Message,
  nameForPeople,
  parseMessage,
  textParameters,
  unusable,
  WholeNumber,
  wholeNumber,
} from '../json-messages.ts';
import { readUsualMedia } from './usual-media.ts';

/**
 * Twilio Media Streams, the bidirectional kind: JSON in text frames, PCMU at 8 kHz as base64 both ways.
 * Source: Twilio, "Media Streams: WebSocket messages" (also fixtures/carriers/twilio). Numbers come as strings, except in
 * `mediaFormat`; both are taken everywhere. `stop` may never come: the socket's close is the end then.
 */
export const TWILIO_FORMAT: MediaFormat = { encoding: 'pcmu', sampleRate: 8000 };

/** Twilio documents no largest message; half a second of audio is what others are known to send. */
const MAX_PAYLOAD_BYTES = 4000;
const MAX_MARK_CHARACTERS = 256;

const Start = z.object({
  streamSid: z.string().min(1).max(128),
  callSid: z.string().max(128).nullish(),
  customParameters: z.record(z.string(), z.unknown()).nullish(),
  mediaFormat: z.object({
    encoding: z.string(),
    sampleRate: WholeNumber,
    channels: WholeNumber.default(1),
  }),
});

export function createTwilioMediaPort(): MediaPort {
  return new TwilioMediaPort();
}

class TwilioMediaPort implements MediaPort {
  readonly #marks: MarkJudge = createMarkJudge();
  #streamSid: string | null = null;
  #sidBytes: Uint8Array | null = null;
  #stopped = false;
  /** What comes before a payload and instead of one; written once per stream since only the payload changes. */
  #mediaHead = '';
  #clear = '';

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    if (isBinary) return fault('unexpected-binary', `a binary message of ${data.length} bytes`);
    const media = this.#sidBytes === null || this.#stopped ? null : readUsualMedia(data, this.#sidBytes);
    if (media !== null) return [{ type: 'audio', payload: media.payload, mediaTimeMs: media.mediaTimeMs }];
    const message = parseMessage(data);
    if (message === null) return fault('bad-json', `a message of ${data.length} bytes is no JSON object`);
    const event = message['event'];
    if (event === 'connected') return [];
    if (event === 'start') return this.#decodeStart(message);
    const decode = typeof event === 'string' ? this.#decoders.get(event) : undefined;
    if (decode === undefined) return fault('unknown-event', nameForPeople(event));
    if (this.#streamSid === null) return fault('before-start', `"${event}" before "start"`);
    if (this.#stopped) return fault('out-of-order', `"${event}" after "stop"`);
    const streamSid = message['streamSid'];
    // Dialects that were copied from Twilio leave it out.
    if (streamSid !== undefined && streamSid !== this.#streamSid) {
      return fault('wrong-stream', `"${event}" of another stream`);
    }
    return decode(message);
  }

  encode(command: MediaCommand): readonly string[] {
    if (this.#streamSid === null || this.#stopped) return [];
    switch (command.type) {
      case 'audio':
        return this.#encodeAudio(command.payload);
      case 'mark':
        this.#marks.sent(command.name);
        return [
          `{"event":"mark","streamSid":${JSON.stringify(this.#streamSid)},"mark":{"name":${JSON.stringify(command.name)}}}`,
        ];
      case 'clear':
        this.#marks.cleared();
        return [this.#clear];
      // No padding is needed, and the stream has no message for the other two: tones and hanging up go through the API.
      case 'end-of-turn':
      case 'dtmf':
      case 'hangup':
        return [];
    }
  }

  readonly #decoders: ReadonlyMap<string, (message: Message) => readonly MediaEvent[]> = new Map([
    ['media', decodeMedia],
    ['dtmf', decodeDtmf],
    ['mark', (message: Message) => this.#decodeMark(message)],
    ['stop', () => this.#decodeStop()],
  ]);

  #decodeStart(message: Message): readonly MediaEvent[] {
    if (this.#streamSid !== null) return fault('second-start', 'another "start" on a started stream');
    const parsed = Start.safeParse(message['start']);
    if (!parsed.success) {
      const fields = [...new Set(parsed.error.issues.map((issue) => issue.path.join('.') || 'start'))].join(
        ', ',
      );
      return unusable(CLOSE_PROTOCOL, `reading "start": found no usable ${fields}`);
    }
    const { streamSid, callSid, customParameters, mediaFormat } = parsed.data;
    const { encoding, sampleRate, channels } = mediaFormat;
    if (encoding !== 'audio/x-mulaw' || sampleRate !== 8000 || channels !== 1) {
      const found = `${nameForPeople(encoding)} at ${sampleRate} Hz with ${channels} channels`;
      return unusable(
        CLOSE_UNSUPPORTED,
        `starting a stream: found ${found}, wanted audio/x-mulaw at 8000 Hz with 1`,
      );
    }
    this.#streamSid = streamSid;
    if (/^[A-Za-z0-9]+$/.test(streamSid)) this.#sidBytes = Uint8Array.from(Buffer.from(streamSid, 'latin1'));
    const head = `"streamSid":${JSON.stringify(streamSid)}`;
    this.#mediaHead = `{"event":"media",${head},"media":{"payload":"`;
    this.#clear = `{"event":"clear",${head}}`;
    const parameters = textParameters(customParameters ?? {});
    const start = { callId: callSid ?? null, streamId: streamSid, parameters };
    return [{ type: 'started', start: { ...start, receive: TWILIO_FORMAT, send: TWILIO_FORMAT } }];
  }

  #decodeMark(message: Message): readonly MediaEvent[] {
    const name = fieldOf(message, 'mark', 'name');
    if (typeof name !== 'string' || name === '' || name.length > MAX_MARK_CHARACTERS) {
      return fault('bad-payload', 'a mark without a usable name');
    }
    return [{ type: 'mark', name, outcome: this.#marks.echoed(name) }];
  }

  #decodeStop(): readonly MediaEvent[] {
    this.#stopped = true;
    return [{ type: 'stopped' }];
  }

  #encodeAudio(payload: Uint8Array): readonly string[] {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    if (bytes.length > 0 && bytes.length <= MAX_PAYLOAD_BYTES) {
      return [`${this.#mediaHead}${bytes.toString('base64')}"}}`];
    }
    const messages: string[] = [];
    for (let at = 0; at < bytes.length; at += MAX_PAYLOAD_BYTES) {
      messages.push(`${this.#mediaHead}${bytes.toString('base64', at, at + MAX_PAYLOAD_BYTES)}"}}`);
    }
    return messages;
  }
}

/** Checked by hand rather than by a schema: this is the message that comes fifty times a second. */
function decodeMedia(message: Message): readonly MediaEvent[] {
  const media = message['media'];
  if (!isObject(media)) return fault('bad-payload', '"media" without a body');
  const { payload, timestamp, track } = media;
  // Should somebody ask Twilio for both tracks, ours must not come back as the caller's voice.
  if (track === 'outbound') return fault('unknown-event', '"media" of the outbound track');
  if (typeof payload !== 'string') return fault('bad-payload', '"media" without a payload');
  // Lenient: white space, missing padding and the URL alphabet all decode to what was meant.
  const bytes = Buffer.from(payload, 'base64');
  if (bytes.length > 0) return [{ type: 'audio', payload: bytes, mediaTimeMs: wholeNumber(timestamp) }];
  return payload === '' ? [] : fault('bad-payload', 'a payload that is no base64');
}

function decodeDtmf(message: Message): readonly MediaEvent[] {
  const digit = fieldOf(message, 'dtmf', 'digit');
  if (typeof digit === 'string' && /^[0-9*#A-Da-d]$/.test(digit)) {
    return [{ type: 'dtmf', digit: digit.toUpperCase() }];
  }
  return fault('bad-payload', '"dtmf" without one digit');
}

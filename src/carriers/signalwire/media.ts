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
import { MediaReader } from '../media-reader.ts';
import { WholeSamples } from '../whole-samples.ts';

/**
 * SignalWire's streams: Twilio's messages, with keys that can be sent, and the stream's id in `start` alone: none of the
 * other messages need have it. The codec of the answer document is that of both directions. Source: SignalWire, "cXML:
 * Stream" (also fixtures/carriers/signalwire).
 */
const MAX_MESSAGE_MS = 500;
const MAX_MARK_CHARACTERS = 256;
const NAMES = { stream: 'streamSid', sequence: 'sequenceNumber' };
const PLAIN_ID = /^[A-Za-z0-9_:.+-]{1,128}$/;

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

export function createSignalwireMediaPort(): MediaPort {
  return new SignalwireMediaPort();
}

class SignalwireMediaPort implements MediaPort {
  readonly #marks: MarkJudge = createMarkJudge();
  #format: MediaFormat | null = null;
  #streamSid = '';
  #reader: MediaReader | null = null;
  #stopped = false;
  /** What comes before a payload and instead of one; written once per stream since only the payload changes. */
  #mediaHead = '';
  #clear = '';
  #maxBytes = 0;
  readonly #samples = new WholeSamples();

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    if (isBinary) return fault('unexpected-binary', `a binary message of ${data.length} bytes`);
    const reader = this.#reader;
    if (reader !== null && !this.#stopped && reader.read(data)) {
      return this.#heard(reader.payload, reader.timestamp);
    }
    const message = parseMessage(data);
    if (message === null) return fault('bad-json', `a message of ${data.length} bytes is no JSON object`);
    const event = message['event'];
    if (event === 'connected') return [];
    if (event === 'start') return this.#decodeStart(message);
    const decode = typeof event === 'string' ? this.#decoders.get(event) : undefined;
    if (decode === undefined) return fault('unknown-event', nameForPeople(event));
    if (this.#format === null) return fault('before-start', `"${event}" before "start"`);
    if (this.#stopped) return fault('out-of-order', `"${event}" after "stop"`);
    const streamSid = message['streamSid'];
    if (streamSid !== undefined && streamSid !== this.#streamSid) {
      return fault('wrong-stream', `"${event}" of another stream`);
    }
    return decode(message);
  }

  encode(command: MediaCommand): readonly string[] {
    if (this.#format === null || this.#stopped) return [];
    const sid = JSON.stringify(this.#streamSid);
    switch (command.type) {
      case 'audio':
        return this.#encodeAudio(command.payload);
      case 'end-of-turn':
        return this.#messages(this.#samples.finish());
      case 'mark':
        this.#marks.sent(command.name);
        return [`{"event":"mark","streamSid":${sid},"mark":{"name":${JSON.stringify(command.name)}}}`];
      case 'clear':
        this.#samples.drop();
        this.#marks.cleared();
        return [this.#clear];
      case 'dtmf':
        // One message for each; there is none for a pause.
        return [...command.digits.toUpperCase().replace(/[^0-9A-D*#]/g, '')].map(
          (digit) => `{"event":"dtmf","streamSid":${sid},"dtmf":{"digit":"${digit}"}}`,
        );
      case 'hangup':
        return [];
    }
  }

  readonly #decoders: ReadonlyMap<string, (message: Message) => readonly MediaEvent[]> = new Map([
    ['media', (message: Message) => this.#decodeMedia(message)],
    ['dtmf', decodeDtmf],
    ['mark', (message: Message) => this.#decodeMark(message)],
    ['stop', () => this.#decodeStop()],
  ]);

  #decodeStart(message: Message): readonly MediaEvent[] {
    if (this.#format !== null) return fault('second-start', 'another "start" on a started stream');
    const parsed = Start.safeParse(message['start']);
    if (!parsed.success) {
      const fields = new Set(parsed.error.issues.map((issue) => issue.path.join('.') || 'start'));
      return unusable(CLOSE_PROTOCOL, `reading "start": found no usable ${[...fields].join(', ')}`);
    }
    const { streamSid, callSid, customParameters, mediaFormat } = parsed.data;
    const format = formatOf(mediaFormat);
    if (format === null) {
      const { encoding, sampleRate, channels } = mediaFormat;
      const found = `${nameForPeople(encoding)} at ${sampleRate} Hz with ${channels} channels`;
      return unusable(
        CLOSE_UNSUPPORTED,
        `starting a stream: found ${found}, wanted audio/x-mulaw at 8000 Hz, or audio/x-L16 at 8000, 16000 or 24000 Hz, with 1`,
      );
    }
    this.#format = format;
    this.#streamSid = streamSid;
    if (PLAIN_ID.test(streamSid)) this.#reader = new MediaReader(NAMES, streamSid);
    const head = `"streamSid":${JSON.stringify(streamSid)}`;
    this.#mediaHead = `{"event":"media",${head},"media":{"payload":"`;
    this.#clear = `{"event":"clear",${head}}`;
    this.#maxBytes = MAX_MESSAGE_MS * (format.sampleRate / 1000) * (format.encoding === 'l16' ? 2 : 1);
    const parameters = textParameters(customParameters ?? {});
    const start = { callId: callSid ?? null, streamId: streamSid, parameters };
    return [{ type: 'started', start: { ...start, receive: format, send: format } }];
  }

  /** Checked by hand rather than by a schema: this is the message that comes fifty times a second. */
  #decodeMedia(message: Message): readonly MediaEvent[] {
    const media = message['media'];
    if (!isObject(media)) return fault('bad-payload', '"media" without a body');
    const { payload, timestamp, track } = media;
    // Should somebody ask SignalWire for both tracks, ours must not come back as the caller's voice.
    if (typeof track === 'string' && track.startsWith('outbound')) {
      return fault('unknown-event', '"media" of the outbound track');
    }
    if (typeof payload !== 'string') return fault('bad-payload', '"media" without a payload');
    // Lenient: white space, missing padding and the URL alphabet all decode to what was meant.
    const bytes = Buffer.from(payload, 'base64');
    if (bytes.length === 0 && payload !== '') return fault('bad-payload', 'a payload that is no base64');
    return bytes.length === 0 ? [] : this.#heard(bytes, wholeNumber(timestamp));
  }

  #heard(payload: Buffer, mediaTimeMs: number | null): readonly MediaEvent[] {
    if (this.#format?.encoding === 'l16' && payload.length % 2 !== 0) {
      return fault('bad-payload', 'half a sample of L16');
    }
    return [{ type: 'audio', payload, mediaTimeMs }];
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
    if (this.#format?.encoding === 'l16') return this.#messages(this.#samples.take(payload));
    return this.#messages(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
  }

  #messages(bytes: Buffer): readonly string[] {
    if (bytes.length > 0 && bytes.length <= this.#maxBytes) {
      return [`${this.#mediaHead}${bytes.toString('base64')}"}}`];
    }
    const messages: string[] = [];
    for (let at = 0; at < bytes.length; at += this.#maxBytes) {
      messages.push(`${this.#mediaHead}${bytes.toString('base64', at, at + this.#maxBytes)}"}}`);
    }
    return messages;
  }
}

function decodeDtmf(message: Message): readonly MediaEvent[] {
  const digit = fieldOf(message, 'dtmf', 'digit');
  if (typeof digit === 'string' && /^[0-9*#A-Da-d]$/.test(digit)) {
    return [{ type: 'dtmf', digit: digit.toUpperCase() }];
  }
  return fault('bad-payload', '"dtmf" without one digit');
}

function formatOf(format: {
  readonly encoding: string;
  readonly sampleRate: number;
  readonly channels: number;
}): MediaFormat | null {
  const { encoding, sampleRate, channels } = format;
  if (channels !== 1) return null;
  if (encoding === 'audio/x-mulaw' && sampleRate === 8000) return { encoding: 'pcmu', sampleRate };
  // Documented as `audio/x-L16`; the case of a media type's name means nothing (RFC 6838).
  if (encoding.toLowerCase() !== 'audio/x-l16') return null;
  if (sampleRate === 8000 || sampleRate === 16000 || sampleRate === 24000) {
    return { encoding: 'l16', sampleRate };
  }
  return null;
}

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
  textParameters,
  unusable,
  WholeNumber,
  wholeNumber,
} from '../json-messages.ts';
import { keyOf } from '../keypad.ts';
import { MediaReader } from '../media-reader.ts';
import { audioOf, formatForPeople, markNameOf, sortMessage, unusableFields } from '../text-stream.ts';
import { DigitOrder } from './digit-order.ts';
import { Outbound } from './outbound.ts';
import { ReorderWindow } from './reorder.ts';
import type { TelnyxSettings } from './settings.ts';

/**
 * Telnyx media streaming: JSON in text frames, RTP payloads as base64 both ways. Source: Telnyx, "Media streaming over
 * WebSockets" (also fixtures/carriers/telnyx). The two directions may have different encodings: what we send we said
 * ourselves, what we are sent `start` says, and a leg in A-law is A-law whatever was asked for.
 */
const NAMES = { stream: 'stream_id', sequence: 'sequence_number' };
const PLAIN_ID = /^[A-Za-z0-9_:.+-]{1,128}$/;

const Start = z.object({
  call_control_id: z.string().max(256).nullish(),
  from: z.string().max(256).nullish(),
  to: z.string().max(256).nullish(),
  custom_parameters: z.unknown().optional(),
  media_format: z.object({
    encoding: z.string(),
    sample_rate: WholeNumber,
    channels: WholeNumber.default(1),
  }),
});
const StreamId = z.string().min(1).max(128);

export function createTelnyxMediaPort(settings: Pick<TelnyxSettings, 'audio' | 'l16Order'>): MediaPort {
  return new TelnyxMediaPort(settings);
}

class TelnyxMediaPort implements MediaPort {
  readonly #send: MediaFormat;
  readonly #swapped: boolean;
  readonly #marks: MarkJudge = createMarkJudge();
  readonly #order = new ReorderWindow();
  readonly #digits = new DigitOrder();
  readonly #outbound: Outbound;
  #receive: MediaFormat | null = null;
  #streamId: string | null = null;
  #reader: MediaReader | null = null;
  #stopped = false;

  constructor({ audio, l16Order }: Pick<TelnyxSettings, 'audio' | 'l16Order'>) {
    this.#send = audio;
    this.#swapped = l16Order === 'big';
    this.#outbound = new Outbound(audio, this.#swapped);
  }

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    const reader = this.#reader;
    if (!isBinary && reader !== null && !this.#stopped && reader.read(data)) {
      return this.#heard(reader.payload, reader.chunk, reader.timestamp, reader.sequence);
    }
    const sorted = sortMessage(data, isBinary, {
      greeting: 'connected',
      idName: 'stream_id',
      id: this.#streamId,
      stopped: this.#stopped,
      decoders: this.#decoders,
    });
    if (sorted.as === 'fault') return sorted.events;
    if (sorted.as === 'start') return this.#decodeStart(sorted.message);
    return sorted.decode(sorted.message, wholeNumber(sorted.message['sequence_number']));
  }

  encode(command: MediaCommand): readonly string[] {
    if (this.#streamId === null || this.#stopped) return [];
    switch (command.type) {
      case 'audio':
        return this.#outbound.audio(command.payload);
      case 'end-of-turn':
        return this.#outbound.endOfTurn();
      case 'mark':
        this.#marks.sent(command.name);
        return [`{"event":"mark","mark":{"name":${JSON.stringify(command.name)}}}`];
      case 'clear':
        this.#outbound.clear();
        this.#marks.cleared();
        return ['{"event":"clear"}'];
      // The stream has no message for them: tones and hanging up go through the API.
      case 'dtmf':
      case 'hangup':
        return [];
    }
  }

  readonly #decoders: ReadonlyMap<
    string,
    (message: Message, sequence: number | null) => readonly MediaEvent[]
  > = new Map([
    ['media', (message: Message, sequence: number | null) => this.#decodeMedia(message, sequence)],
    ['dtmf', (message: Message, sequence: number | null) => this.#decodeDtmf(message, sequence)],
    ['mark', (message: Message, sequence: number | null) => this.#decodeMark(message, sequence)],
    ['error', (message: Message) => decodeError(message)],
    ['stop', () => this.#decodeStop()],
  ]);

  #decodeStart(message: Message): readonly MediaEvent[] {
    const streamId = StreamId.safeParse(message['stream_id']);
    const parsed = Start.safeParse(message['start']);
    if (!streamId.success || !parsed.success) {
      const fields = [
        ...(parsed.success ? [] : unusableFields(parsed.error)),
        ...(streamId.success ? [] : ['stream_id']),
      ];
      return unusable(CLOSE_PROTOCOL, `reading "start": found no usable ${fields.join(', ')}`);
    }
    const { media_format, call_control_id, from, to } = parsed.data;
    const receive = formatOf(media_format);
    if (receive === null) {
      const { encoding, sample_rate: sampleRate, channels } = media_format;
      const found = formatForPeople({ encoding, sampleRate, channels });
      return unusable(
        CLOSE_UNSUPPORTED,
        `starting a stream: found ${found}, wanted PCMU or PCMA at 8000 Hz, or L16 at 8000, 16000 or 24000 Hz, with 1`,
      );
    }
    this.#streamId = streamId.data;
    this.#receive = receive;
    if (PLAIN_ID.test(streamId.data)) this.#reader = new MediaReader(NAMES, streamId.data);
    this.#digits.saw(wholeNumber(message['sequence_number']), false);
    const parameters = {
      ...parametersOf(parsed.data.custom_parameters),
      ...(typeof from === 'string' ? { from } : {}),
      ...(typeof to === 'string' ? { to } : {}),
    };
    const start = { callId: call_control_id ?? null, streamId: streamId.data, parameters };
    return [{ type: 'started', start: { ...start, receive, send: this.#send } }];
  }

  #decodeMedia(message: Message, sequence: number | null): readonly MediaEvent[] {
    const audio = audioOf(message);
    if (audio.payload === null) return audio.events;
    const { payload, media } = audio;
    return this.#heard(payload, wholeNumber(media['chunk']), wholeNumber(media['timestamp']), sequence);
  }

  #heard(
    payload: Buffer,
    chunk: number | null,
    mediaTimeMs: number | null,
    sequence: number | null,
  ): readonly MediaEvent[] {
    if (payload.length === 0) return this.#digits.saw(sequence, false);
    if (this.#receive?.encoding === 'l16') {
      if (payload.length % 2 !== 0) return fault('bad-payload', 'half a sample of L16');
      if (this.#swapped) payload.swap16();
    }
    const audio = this.#order.put(chunk, { type: 'audio', payload, mediaTimeMs });
    const keys = this.#digits.saw(sequence, true);
    return keys.length === 0 ? audio : [...audio, ...keys];
  }

  #decodeDtmf(message: Message, sequence: number | null): readonly MediaEvent[] {
    const key = keyOf(fieldOf(message, 'dtmf', 'digit'));
    if (key === null) return fault('bad-payload', '"dtmf" without one digit');
    return this.#digits.put(sequence, { type: 'dtmf', digit: key });
  }

  #decodeMark(message: Message, sequence: number | null): readonly MediaEvent[] {
    const name = markNameOf(fieldOf(message, 'mark', 'name'));
    if (name === null) return fault('bad-payload', 'a mark without a usable name');
    const keys = this.#digits.saw(sequence, false);
    return [...keys, { type: 'mark', name, outcome: this.#marks.echoed(name) }];
  }

  #decodeStop(): readonly MediaEvent[] {
    this.#stopped = true;
    return [...this.#order.flush(), ...this.#digits.flush(), { type: 'stopped' }];
  }
}

/** Telnyx's codes: 100002 unknown, 100003 malformed frame, 100004 invalid media, 100005 rate limit. */
function decodeError(message: Message): readonly MediaEvent[] {
  const code = wholeNumber(fieldOf(message, 'payload', 'code'));
  return fault('carrier-warning', code === null ? 'an error without a code' : `error code ${code}`);
}

function formatOf(format: {
  readonly encoding: string;
  readonly sample_rate: number;
  readonly channels: number;
}): MediaFormat | null {
  const { encoding, sample_rate: sampleRate, channels } = format;
  if (channels !== 1) return null;
  if (encoding === 'PCMU' && sampleRate === 8000) return { encoding: 'pcmu', sampleRate };
  if (encoding === 'PCMA' && sampleRate === 8000) return { encoding: 'pcma', sampleRate };
  if (encoding === 'L16' && (sampleRate === 8000 || sampleRate === 16000 || sampleRate === 24000)) {
    return { encoding: 'l16', sampleRate };
  }
  return null;
}

/** An object by name, or a list of names and values: both are on record. */
function parametersOf(custom: unknown): Record<string, string> {
  if (isObject(custom)) return textParameters(custom);
  if (!Array.isArray(custom)) return {};
  const pairs = custom
    .filter(isObject)
    .filter(({ name }) => typeof name === 'string')
    .map(({ name, value }) => [name as string, value] as const);
  return textParameters(Object.fromEntries(pairs));
}

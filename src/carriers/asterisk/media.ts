import type { MediaCommand, MediaEvent, MediaFormat, MediaPort } from '../carrier.ts';
import { FrameCutter } from '../frame-cutter.ts';
import {
  CLOSE_PROTOCOL,
  CLOSE_UNSUPPORTED,
  fault,
  isObject,
  type Message,
  nameForPeople,
  textParameters,
  unusable,
  wholeNumber,
} from '../json-messages.ts';
import { keyOf } from '../keypad.ts';
import { type ControlForm, readControl, writeControl } from './control-text.ts';

/**
 * Asterisk's chan_websocket: the codec's bytes in binary frames both ways, control messages in text frames. Seen on
 * Asterisk 22.10 (fixtures/carriers/asterisk): from the phone comes one message per RTP packet, of any length, in whatever
 * order it came, empty where a jitter buffer found one missing, and none at all while the phone is silent. So bytes are
 * no time here. To the phone Asterisk paces itself; of a message it plays the whole frames and throws the rest away.
 */
const FORMATS = new Map<unknown, MediaFormat>([
  ['ulaw', { encoding: 'pcmu', sampleRate: 8000 }],
  ['alaw', { encoding: 'pcma', sampleRate: 8000 }],
  ['slin', { encoding: 'l16', sampleRate: 8000 }],
  ['slin16', { encoding: 'l16', sampleRate: 16000 }],
  ['slin24', { encoding: 'l16', sampleRate: 24000 }],
]);
const SILENCE = { pcmu: 0xff, pcma: 0xd5, l16: 0 } as const;
const FRAME_MS = 20;
const MAX_FRAME_BYTES = 4_000;
/** A message over 65,500 bytes ends the call. */
const MAX_MESSAGE_BYTES = 32_000;
const MAX_ID_CHARACTERS = 128;
const MARK = /^[!-9;-~]{1,80}$/;

/** @param hangsUp whether `hangup` is a message; where it is not, Asterisk's REST interface does it */
export function createAsteriskMediaPort(hangsUp: boolean): MediaPort {
  return new AsteriskMediaPort(hangsUp);
}

interface StreamFacts {
  readonly form: ControlForm;
  readonly channelId: string;
  readonly bytesPerSample: number;
  readonly cutter: FrameCutter;
}

class AsteriskMediaPort implements MediaPort {
  readonly #hangsUp: boolean;
  #stream: StreamFacts | null = null;
  #clearing = false;

  constructor(hangsUp: boolean) {
    this.#hangsUp = hangsUp;
  }

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    if (!isBinary) return this.#decodeText(data);
    if (this.#stream === null) return fault('before-start', `audio of ${data.length} bytes`);
    if (data.length === 0) return [];
    // Half a sample would put all that follows out of step.
    return data.length % this.#stream.bytesPerSample === 0
      ? [{ type: 'audio', payload: data, mediaTimeMs: null }]
      : fault('bad-payload', `audio of ${data.length} bytes, half a sample too many`);
  }

  encode(command: MediaCommand): readonly (string | Buffer)[] {
    const stream = this.#stream;
    if (stream === null) return [];
    switch (command.type) {
      case 'audio':
        return stream.cutter.cut(command.payload);
      case 'end-of-turn':
        return stream.cutter.pad();
      case 'mark':
        return MARK.test(command.name) ? this.#commands(stream, 'MARK_MEDIA', command.name) : [];
      case 'clear':
        stream.cutter.drop();
        this.#clearing = true;
        // A flush is not answered, and pending marks are forgotten; that the queue is empty is reported when asked for.
        return [...this.#commands(stream, 'REPORT_QUEUE_DRAINED'), ...this.#commands(stream, 'FLUSH_MEDIA')];
      case 'hangup':
        return this.#hangsUp ? this.#commands(stream, 'HANGUP') : [];
      case 'dtmf':
        return [];
    }
  }

  #commands(stream: StreamFacts, command: string, id?: string): readonly string[] {
    const text = writeControl(stream.form, command, id);
    return text === null ? [] : [text];
  }

  #decodeText(data: Buffer): readonly MediaEvent[] {
    const message = readControl(data);
    if (message === null) return fault('bad-json', `a message of ${data.length} bytes is no control message`);
    const { event, fields, form } = message;
    if (event === 'MEDIA_START') return this.#decodeStart(fields, form);
    const decode = typeof event === 'string' ? this.#decoders.get(event) : undefined;
    if (decode === undefined) return fault('unknown-event', nameForPeople(event));
    if (this.#stream === null) return fault('before-start', `"${event}" before "MEDIA_START"`);
    const channelId = fields['channel_id'];
    // Plain text leaves it out in most messages.
    if (channelId !== undefined && channelId !== this.#stream.channelId) {
      return fault('wrong-stream', `"${event}" of another channel`);
    }
    return decode(fields);
  }

  readonly #decoders: ReadonlyMap<string, (fields: Message) => readonly MediaEvent[]> = new Map([
    ['DTMF_END', decodeDtmf],
    ['MEDIA_MARK_PROCESSED', decodeMark],
    ['QUEUE_DRAINED', () => this.#decodeDrained()],
    ['MEDIA_XOFF', () => [{ type: 'flow', paused: true }] as const],
    ['MEDIA_XON', () => [{ type: 'flow', paused: false }] as const],
    ['STATUS', () => []],
    ['MEDIA_BUFFERING_COMPLETED', () => []],
    ['ERROR', ({ error_text }: Message) => fault('carrier-warning', errorOf(error_text))],
  ]);

  #decodeStart(fields: Message, form: ControlForm): readonly MediaEvent[] {
    if (this.#stream !== null) return fault('second-start', 'another "MEDIA_START" on a started stream');
    const { channel_id, channel_variables, format: codec } = fields;
    const format = FORMATS.get(codec);
    if (format === undefined) {
      const wanted = 'ulaw, alaw, slin, slin16 or slin24';
      return unusable(
        CLOSE_UNSUPPORTED,
        `starting a stream: found ${nameForPeople(codec)}, wanted ${wanted}`,
      );
    }
    if (typeof channel_id !== 'string' || channel_id === '' || channel_id.length > MAX_ID_CHARACTERS) {
      return unusable(CLOSE_PROTOCOL, 'reading "MEDIA_START": found no usable channel_id');
    }
    const bytesPerSample = format.encoding === 'l16' ? 2 : 1;
    const frameBytes = frameBytesOf(fields['optimal_frame_size'], format, bytesPerSample);
    const maxFrames = Math.max(1, Math.floor(MAX_MESSAGE_BYTES / frameBytes));
    const cutter = new FrameCutter(frameBytes, SILENCE[format.encoding], maxFrames);
    this.#stream = { form, channelId: channel_id, bytesPerSample, cutter };
    const parameters = isObject(channel_variables) ? textParameters(channel_variables) : {};
    // The channel is the stream's own; whose call it is, the handshake has said.
    const start = { callId: null, streamId: channel_id, parameters, receive: format, send: format };
    return [{ type: 'started', start }];
  }

  /** Asked for by a `clear` only; a queue that runs dry by itself reports nothing. */
  #decodeDrained(): readonly MediaEvent[] {
    if (!this.#clearing) return [];
    this.#clearing = false;
    return [{ type: 'cleared' }];
  }
}

/** What Asterisk cuts to; 20 ms of audio where it names nothing that could be a frame. */
function frameBytesOf(named: unknown, format: MediaFormat, bytesPerSample: number): number {
  const bytes = wholeNumber(named) ?? 0;
  const usable = bytes > 0 && bytes <= MAX_FRAME_BYTES && bytes % bytesPerSample === 0;
  return usable ? bytes : (format.sampleRate / 1000) * FRAME_MS * bytesPerSample;
}

/** Marks that a flush met are never reported: one that comes was played. */
function decodeMark({ correlation_id: name }: Message): readonly MediaEvent[] {
  return typeof name === 'string' && MARK.test(name)
    ? [{ type: 'mark', name, outcome: 'played' }]
    : fault('bad-payload', 'a mark without a usable name');
}

function decodeDtmf({ digit }: Message): readonly MediaEvent[] {
  const key = keyOf(digit);
  return key === null ? fault('bad-payload', '"DTMF_END" without one digit') : [{ type: 'dtmf', digit: key }];
}

/** Asterisk's own sentence, such as "Unable to parse JSON command". */
function errorOf(text: unknown): string {
  return typeof text === 'string' && /^[A-Za-z0-9 .,'_-]{1,120}$/.test(text)
    ? text
    : 'an error without plain words';
}

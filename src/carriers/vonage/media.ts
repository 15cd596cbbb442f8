import type { MediaCommand, MediaEvent, MediaFormat, MediaPort } from '../carrier.ts';
import { FrameCutter } from '../frame-cutter.ts';
import {
  CLOSE_UNSUPPORTED,
  fault,
  fieldOf,
  type Message,
  nameForPeople,
  parseMessage,
  textParameters,
  unusable,
} from '../json-messages.ts';
import { keyOf } from '../keypad.ts';
import { MarkJudge } from './marks.ts';
import { vonageFormat } from './settings.ts';

/**
 * Vonage's WebSocket endpoint: L16 in binary frames both ways, JSON in text frames. Source: Vonage, "WebSockets in the
 * Voice API" (also fixtures/carriers/vonage). Outbound frames must have exactly 20 ms: for any other size Vonage ends
 * the connection. Frames have neither numbers nor times, but come all the time: they are counted instead. There is no stop: the socket's close is the end.
 */
export const FRAME_MS = 20;
const MAX_MARK_CHARACTERS = 256;
const MAX_ID_CHARACTERS = 128;
const RATES = new Map<string | undefined, MediaFormat['sampleRate']>([
  ['8000', 8000],
  ['16000', 16000],
  ['24000', 24000],
]);

export function createVonageMediaPort(): MediaPort {
  return new VonageMediaPort();
}

class VonageMediaPort implements MediaPort {
  readonly #marks = new MarkJudge();
  /** Null until the stream has started. */
  #cutter: FrameCutter | null = null;
  /** Bytes of the caller's audio, and how many of them make a millisecond. */
  #received = 0;
  #bytesPerMs = 32;

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    if (!isBinary) return this.#decodeText(data);
    if (this.#cutter === null) return fault('before-start', `audio of ${data.length} bytes`);
    // Half a sample would put all that follows out of step.
    if (data.length % 2 !== 0)
      return fault('bad-payload', `audio of ${data.length} bytes, half a sample too many`);
    if (data.length === 0) return [];
    const mediaTimeMs = this.#received / this.#bytesPerMs;
    this.#received += data.length;
    return [{ type: 'audio', payload: data, mediaTimeMs }];
  }

  encode(command: MediaCommand): readonly (string | Buffer)[] {
    const cutter = this.#cutter;
    if (cutter === null) return [];
    switch (command.type) {
      case 'audio':
        return cutter.cut(command.payload);
      case 'end-of-turn':
        return cutter.pad();
      case 'mark':
        this.#marks.sent(command.name);
        return [`{"action":"notify","payload":{"id":${JSON.stringify(command.name)}}}`];
      case 'clear':
        cutter.drop();
        this.#marks.clearing();
        return ['{"action":"clear"}'];
      // The socket has no message for these: tones and hanging up go through the API.
      case 'dtmf':
      case 'hangup':
        return [];
    }
  }

  #decodeText(data: Buffer): readonly MediaEvent[] {
    const message = parseMessage(data);
    if (message === null) return fault('bad-json', `a message of ${data.length} bytes is no JSON object`);
    const event = message['event'];
    if (event === 'websocket:connected') return this.#decodeStart(message);
    const decode = typeof event === 'string' ? this.#decoders.get(event) : undefined;
    if (decode === undefined) return fault('unknown-event', nameOf(event));
    if (this.#cutter === null) return fault('before-start', `"${event}" before "websocket:connected"`);
    return decode(message);
  }

  readonly #decoders: ReadonlyMap<string, (message: Message) => readonly MediaEvent[]> = new Map([
    ['websocket:dtmf', decodeDtmf],
    ['websocket:notify', (message: Message) => this.#decodeNotify(message)],
    ['websocket:cleared', () => this.#decodeCleared()],
  ]);

  #decodeStart(message: Message): readonly MediaEvent[] {
    if (this.#cutter !== null)
      return fault('second-start', 'another "websocket:connected" on a started stream');
    const contentType = message['content-type'];
    const rate = typeof contentType === 'string' ? /^audio\/l16; ?rate=([0-9]+)$/i.exec(contentType) : null;
    const sampleRate = RATES.get(rate?.[1]);
    if (sampleRate === undefined) {
      const wanted = 'audio/l16 at a rate of 8000, 16000 or 24000';
      return unusable(CLOSE_UNSUPPORTED, `starting a stream: found ${typeOf(contentType)}, wanted ${wanted}`);
    }
    const format = vonageFormat(sampleRate);
    this.#bytesPerMs = sampleRate / 500;
    this.#cutter = new FrameCutter((sampleRate / 1000) * FRAME_MS * 2, 0, 1);
    const { event: _event, 'content-type': _type, ...headers } = message;
    const { uuid } = headers;
    const callId = typeof uuid === 'string' && uuid !== '' && uuid.length <= MAX_ID_CHARACTERS ? uuid : null;
    const parameters = textParameters(headers);
    // The stream has no id of its own.
    const start = { callId, streamId: callId ?? 'unnamed', parameters, receive: format, send: format };
    return [{ type: 'started', start }];
  }

  #decodeNotify(message: Message): readonly MediaEvent[] {
    const name = fieldOf(message, 'payload', 'id');
    if (typeof name !== 'string' || name === '' || name.length > MAX_MARK_CHARACTERS) {
      return fault('bad-payload', 'a notification without a usable id');
    }
    return [{ type: 'mark', name, outcome: this.#marks.echoed(name) }];
  }

  #decodeCleared(): readonly MediaEvent[] {
    this.#marks.confirmed();
    return [{ type: 'cleared' }];
  }
}

/** Some report the digit in an object of its own; both are taken. */
function decodeDtmf(message: Message): readonly MediaEvent[] {
  const digit = keyOf(message['digit'] ?? fieldOf(message, 'dtmf', 'digit'));
  return digit === null
    ? fault('bad-payload', '"websocket:dtmf" without one digit')
    : [{ type: 'dtmf', digit }];
}

/** Vonage's events share a prefix, which is no plain word. */
function nameOf(event: unknown): string {
  return nameForPeople(typeof event === 'string' ? event.replace(/^websocket:/, '') : event);
}

function typeOf(contentType: unknown): string {
  const parts = typeof contentType === 'string' ? contentType.split(/[;=]/).slice(0, 3) : [];
  return parts.map((part) => nameForPeople(part.trim())).join(' ') || 'no content type';
}

import { z } from 'zod';
import type { MediaCommand, MediaEvent, MediaFormat, MediaPort } from '../carrier.ts';
import {
  CLOSE_PROTOCOL,
  CLOSE_UNSUPPORTED,
  fault,
  isObject,
  type Message,
  nameForPeople,
  parseMessage,
  unusable,
  WholeNumber,
} from '../json-messages.ts';
import { keyOf } from '../keypad.ts';
import { WholeSamples } from '../whole-samples.ts';
import { InBandMarks } from './marks.ts';
import { PreBuffer } from './pre-buffer.ts';

/**
 * jambonz's `listen`: L16 little-endian in binary frames both ways, JSON in text frames. The first text frame describes
 * the call and has neither `event` nor `type`. There is no end; the socket's close is the end. Source: jambonz, "listen"
 * verb, `@jambonz/sdk` 0.10 (`AudioStream`) and the media module (also fixtures/carriers/jambonz).
 */

const MAX_MESSAGE_BYTES = 16_384;
const MAX_MARK_CHARACTERS = 256;
const KILL_AUDIO = '{"type":"killAudio"}';

const RATES = [8000, 16000, 24000] as const;
const Start = z.object({
  callSid: z.string().min(1).max(128),
  sampleRate: WholeNumber,
  mixType: z.string().default('mono'),
});

/** @param send what the answer document asked for; the first message does not repeat it */
export function createJambonzMediaPort(send: MediaFormat): MediaPort {
  return new JambonzMediaPort(send);
}

class JambonzMediaPort implements MediaPort {
  readonly #send: MediaFormat;
  readonly #marks = new InBandMarks();
  readonly #samples = new WholeSamples();
  readonly #preBuffer: PreBuffer;
  #started = false;
  /** Bytes of the caller's audio, and how many of them make a millisecond. */
  #received = 0;
  #bytesPerMs = 16;

  constructor(send: MediaFormat) {
    this.#send = send;
    this.#preBuffer = new PreBuffer(send.sampleRate);
  }

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    if (isBinary) return this.#decodeAudio(data);
    const message = parseMessage(data);
    if (message === null) return fault('bad-json', `a message of ${data.length} bytes is no JSON object`);
    const kind = message['event'] ?? message['type'];
    if (kind === undefined) return this.#decodeStart(message);
    const decode = typeof kind === 'string' ? this.#decoders.get(kind) : undefined;
    if (decode === undefined) return fault('unknown-event', nameForPeople(kind));
    if (!this.#started) return fault('before-start', `"${kind}" before the first message`);
    return decode(message);
  }

  encode(command: MediaCommand): readonly (string | Buffer)[] {
    if (!this.#started) return [];
    switch (command.type) {
      case 'audio':
        return this.#encodeAudio(this.#samples.take(command.payload));
      case 'end-of-turn':
        return [...this.#encodeAudio(this.#samples.finish()), ...this.#encodeAudio(this.#padding())];
      case 'mark':
        return [this.#mark(command.name)];
      case 'clear': {
        this.#samples.drop();
        // Without what is owed, which would only be thrown away with it.
        const padding = this.#write(this.#padding());
        this.#marks.clear();
        return [...padding, KILL_AUDIO];
      }
      // Tones and hanging up go through the API.
      case 'dtmf':
      case 'hangup':
        return [];
    }
  }

  readonly #decoders: ReadonlyMap<string, (message: Message) => readonly MediaEvent[]> = new Map([
    ['dtmf', decodeDtmf],
    ['mark', (message: Message) => this.#decodeMark(message)],
    // Of whole clips, which are not used here.
    ['playDone', () => []],
  ]);

  #decodeAudio(payload: Buffer): readonly MediaEvent[] {
    if (!this.#started) return fault('before-start', 'audio before the first message');
    if (payload.length === 0) return [];
    const mediaTimeMs = this.#received / this.#bytesPerMs;
    this.#received += payload.length;
    return [{ type: 'audio', payload, mediaTimeMs }];
  }

  #decodeStart(message: Message): readonly MediaEvent[] {
    if (this.#started) return fault('second-start', 'another description of the call');
    const parsed = Start.safeParse(message);
    if (!parsed.success) {
      const fields = [...new Set(parsed.error.issues.map((issue) => issue.path.join('.')))].join(', ');
      return unusable(CLOSE_PROTOCOL, `reading the first message: found no usable ${fields}`);
    }
    const { callSid, mixType } = parsed.data;
    const sampleRate = RATES.find((rate) => rate === parsed.data.sampleRate);
    if (sampleRate === undefined || mixType !== 'mono') {
      const found = `${nameForPeople(mixType)} at ${parsed.data.sampleRate} Hz`;
      return unusable(
        CLOSE_UNSUPPORTED,
        `starting a stream: found ${found}, wanted "mono" at 8000, 16000 or 24000 Hz`,
      );
    }
    this.#started = true;
    this.#bytesPerMs = sampleRate / 500;
    const receive: MediaFormat = { encoding: 'l16', sampleRate };
    // A stream has no id of its own, and a call only one stream at a time.
    const start = { callId: callSid, streamId: callSid, parameters: {}, receive, send: this.#send };
    return [{ type: 'started', start }];
  }

  #decodeMark({ data }: Message): readonly MediaEvent[] {
    const { name, event } = isObject(data) ? data : {};
    if (typeof name !== 'string' || name === '' || name.length > MAX_MARK_CHARACTERS) {
      return fault('bad-payload', 'a mark without a usable name');
    }
    const outcome = this.#marks.reported(name, event);
    return outcome === null ? [] : [{ type: 'mark', name, outcome }];
  }

  /** Silence that pushes out what jambonz would hold back. */
  #padding(): Buffer {
    return Buffer.alloc(this.#preBuffer.missing * 2);
  }

  #encodeAudio(samples: Buffer): readonly (string | Buffer)[] {
    if (samples.length === 0) return [];
    withoutMarkSamples(samples);
    const due = this.#marks.settle();
    if (due === null) return this.#write(samples);
    const settled = this.#write(Buffer.alloc(due.samples * 2, 0xff));
    return [...settled, this.#mark(due.receipt), ...this.#write(samples)];
  }

  #mark(name: string): string {
    this.#marks.sent(name);
    return `{"type":"mark","data":{"name":${JSON.stringify(name)}}}`;
  }

  #write(samples: Buffer): readonly Buffer[] {
    if (samples.length === 0) return [];
    this.#preBuffer.add(samples.length / 2 + this.#marks.audio());
    if (samples.length <= MAX_MESSAGE_BYTES) return [samples];
    const messages: Buffer[] = [];
    for (let at = 0; at < samples.length; at += MAX_MESSAGE_BYTES) {
      messages.push(samples.subarray(at, at + MAX_MESSAGE_BYTES));
    }
    return messages;
  }
}

/** A sample of −1 would be taken for a mark. The quietest sample there is becomes silence, which nobody hears. */
function withoutMarkSamples(samples: Buffer): void {
  for (let at = 0; at < samples.length; at += 2) {
    if (samples[at] === 0xff && samples[at + 1] === 0xff) samples.fill(0, at, at + 2);
  }
}

function decodeDtmf({ dtmf }: Message): readonly MediaEvent[] {
  const digit = keyOf(dtmf);
  return digit === null ? fault('bad-payload', '"dtmf" without one digit') : [{ type: 'dtmf', digit }];
}

import type { MediaCommand, MediaEvent, MediaFormat, MediaPort } from '../carrier.ts';
import { fault, type Message } from '../json-messages.ts';
import { audioOf, decodeDtmf, inMessages, markNameOf, sortMessage } from '../text-stream.ts';
import { WholeSamples } from '../whole-samples.ts';
import { Checkpoints } from './checkpoints.ts';
import { LearnedMedia } from './learned-media.ts';
import { readStart } from './start.ts';

/**
 * Plivo's audio streaming: JSON in text frames, audio as base64 both ways. Source: Plivo, "Audio streaming: protocol
 * reference" (also fixtures/carriers/plivo). There is no greeting message and no end; the socket's close is the end.
 * Numbers are numbers, time stamps are strings of the wall clock: not a time line on which a frame has its place, so
 * the caller's audio is counted instead.
 */

/** Plivo takes 16 KB of base64 in a message; a second of PCMU is plenty. Even, so that samples stay whole. */
const MAX_PAYLOAD_BYTES = 8000;
const DIGITS = /^[0-9*#]{1,64}$/;
/** A stream whose messages look different each time is read the long way from then on. */
const MAX_LESSONS = 8;

export function createPlivoMediaPort(): MediaPort {
  return new PlivoMediaPort();
}

class PlivoMediaPort implements MediaPort {
  readonly #checkpoints = new Checkpoints();
  readonly #samples = new WholeSamples();
  readonly #learned = new LearnedMedia();
  #lessons = 0;
  #streamId: string | null = null;
  #stopped = false;
  #format: MediaFormat | null = null;
  /** Bytes of the caller's audio, and how many of them make a millisecond. */
  #received = 0;
  #bytesPerMs = 8;
  /** What comes before a payload and instead of one; written once per stream since only the payload changes. */
  #mediaHead = '';
  #clear = '';

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    const payload = isBinary || this.#stopped ? null : this.#learned.read(data);
    if (payload !== null) return this.#audio(payload);
    const sorted = sortMessage(data, isBinary, {
      greeting: null,
      idName: 'streamId',
      id: this.#streamId,
      stopped: this.#stopped,
      decoders: this.#decoders,
    });
    if (sorted.as === 'fault') return sorted.events;
    if (sorted.as === 'start') return this.#decodeStart(sorted.message);
    return sorted.decode(sorted.message, data);
  }

  encode(command: MediaCommand): readonly string[] {
    if (this.#streamId === null || this.#stopped) return [];
    switch (command.type) {
      case 'audio':
        return this.#encodeAudio(command.payload);
      case 'end-of-turn':
        return this.#messages(this.#samples.finish());
      case 'mark':
        this.#checkpoints.sent(command.name);
        return [
          `{"event":"checkpoint","streamId":${JSON.stringify(this.#streamId)},"name":${JSON.stringify(command.name)}}`,
        ];
      case 'clear':
        this.#checkpoints.clearing();
        this.#samples.drop();
        return [this.#clear];
      case 'dtmf':
        return DIGITS.test(command.digits) ? [`{"event":"sendDTMF","dtmf":"${command.digits}"}`] : [];
      // The stream has no message for it: hanging up goes through the API.
      case 'hangup':
        return [];
    }
  }

  readonly #decoders: ReadonlyMap<string, (message: Message, data: Buffer) => readonly MediaEvent[]> =
    new Map([
      ['media', (message: Message, data: Buffer) => this.#decodeMedia(message, data)],
      ['dtmf', decodeDtmf],
      ['playedStream', (message: Message) => this.#decodeMark(message)],
      ['clearedAudio', () => this.#decodeCleared()],
      // Not Plivo's own: platforms that imitate it send it.
      ['stop', () => this.#decodeStop()],
    ]);

  #decodeStart(message: Message): readonly MediaEvent[] {
    const reading = readStart(message);
    if (!reading.ok) return reading.events;
    const { streamId, send } = reading.start;
    this.#streamId = streamId;
    this.#format = send;
    this.#bytesPerMs = (send.sampleRate / 1000) * (send.encoding === 'l16' ? 2 : 1);
    const contentType = send.encoding === 'l16' ? 'audio/x-l16' : 'audio/x-mulaw';
    this.#mediaHead = `{"event":"playAudio","media":{"contentType":"${contentType}","sampleRate":${send.sampleRate},"payload":"`;
    this.#clear = `{"event":"clearAudio","streamId":${JSON.stringify(streamId)}}`;
    return [{ type: 'started', start: reading.start }];
  }

  #decodeMedia(message: Message, data: Buffer): readonly MediaEvent[] {
    const audio = audioOf(message);
    if (audio.payload === null) return audio.events;
    const { payload } = audio;
    if (payload.length === 0) return [];
    if (this.#lessons < MAX_LESSONS) {
      this.#lessons += 1;
      this.#learned.learn(data.toString('utf8'));
    }
    return this.#audio(payload);
  }

  #audio(payload: Buffer): readonly MediaEvent[] {
    const mediaTimeMs = this.#received / this.#bytesPerMs;
    this.#received += payload.length;
    return [{ type: 'audio', payload, mediaTimeMs }];
  }

  #decodeMark(message: Message): readonly MediaEvent[] {
    const name = markNameOf(message['name']);
    if (name === null) return fault('bad-payload', 'a checkpoint without a usable name');
    return [{ type: 'mark', name, outcome: this.#checkpoints.played(name) }];
  }

  #decodeCleared(): readonly MediaEvent[] {
    this.#checkpoints.cleared();
    return [{ type: 'cleared' }];
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
    return inMessages(this.#mediaHead, bytes, MAX_PAYLOAD_BYTES);
  }
}

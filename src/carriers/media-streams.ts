import { z } from 'zod';
import type { MediaCommand, MediaEvent, MediaFormat, MediaPort } from './carrier.ts';
import { createMarkJudge, type MarkJudge } from './echoed-marks.ts';
import {
  CLOSE_PROTOCOL,
  CLOSE_UNSUPPORTED,
  fault,
  fieldOf,
  type Message,
  textParameters,
  unusable,
  wholeNumber,
} from './json-messages.ts';
import {
  audioOf,
  DeclaredFormat,
  decodeDtmf,
  formatForPeople,
  inMessages,
  markNameOf,
  sortMessage,
  unusableFields,
} from './text-stream.ts';
import { WholeSamples } from './whole-samples.ts';

/**
 * Media streams in the dialect that Twilio made and others took over. Source: Twilio, "Media Streams: WebSocket messages".
 * Numbers come as strings, except in `mediaFormat`; both are taken everywhere. `stop` may never come: the socket's close
 * is the end then.
 */
export interface MediaStreamsDialect {
  /** That of both directions; null for one that cannot be used. */
  formatOf(declared: DeclaredFormat): MediaFormat | null;
  /** Which can, for people. */
  readonly wanted: string;
  /** Keys can be pressed for the other end of the line; one message for each, and none for a pause. */
  readonly pressesKeys: boolean;
  /** Reads the usual media message of this stream from its bytes; anything else is null, and goes the long way. */
  createReader(streamSid: string): (data: Buffer) => AudioEvent | null;
}

export type AudioEvent = Extract<MediaEvent, { type: 'audio' }>;

/** No largest message is documented; half a second of audio is what others are known to send. */
const MAX_MESSAGE_MS = 500;

const Start = z.object({
  streamSid: z.string().min(1).max(128),
  callSid: z.string().max(128).nullish(),
  customParameters: z.record(z.string(), z.unknown()).nullish(),
  mediaFormat: DeclaredFormat,
});

export function createMediaStreamsPort(dialect: MediaStreamsDialect): MediaPort {
  return new MediaStreamsPort(dialect);
}

class MediaStreamsPort implements MediaPort {
  readonly #dialect: MediaStreamsDialect;
  readonly #marks: MarkJudge = createMarkJudge();
  readonly #samples = new WholeSamples();
  #format: MediaFormat | null = null;
  #streamSid: string | null = null;
  #read: ((data: Buffer) => AudioEvent | null) | null = null;
  #stopped = false;
  /** What comes before a payload and instead of one; written once per stream since only the payload changes. */
  #mediaHead = '';
  #clear = '';
  #maxBytes = 0;

  constructor(dialect: MediaStreamsDialect) {
    this.#dialect = dialect;
  }

  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[] {
    const audio = isBinary || this.#stopped || this.#read === null ? null : this.#read(data);
    if (audio !== null) return this.#heard(audio);
    const sorted = sortMessage(data, isBinary, {
      greeting: 'connected',
      idName: 'streamSid',
      id: this.#streamSid,
      stopped: this.#stopped,
      decoders: this.#decoders,
    });
    if (sorted.as === 'fault') return sorted.events;
    return sorted.as === 'start' ? this.#decodeStart(sorted.message) : sorted.decode(sorted.message);
  }

  encode(command: MediaCommand): readonly string[] {
    if (this.#streamSid === null || this.#stopped) return [];
    const sid = JSON.stringify(this.#streamSid);
    switch (command.type) {
      case 'audio':
        return this.#encodeAudio(command.payload);
      case 'end-of-turn':
        return inMessages(this.#mediaHead, this.#samples.finish(), this.#maxBytes);
      case 'mark':
        this.#marks.sent(command.name);
        return [`{"event":"mark","streamSid":${sid},"mark":{"name":${JSON.stringify(command.name)}}}`];
      case 'clear':
        this.#samples.drop();
        this.#marks.cleared();
        return [this.#clear];
      case 'dtmf':
        if (!this.#dialect.pressesKeys) return [];
        return [...command.digits.toUpperCase().replace(/[^0-9A-D*#]/g, '')].map(
          (digit) => `{"event":"dtmf","streamSid":${sid},"dtmf":{"digit":"${digit}"}}`,
        );
      // The stream has no message for it: hanging up goes through the API.
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
    const parsed = Start.safeParse(message['start']);
    if (!parsed.success) {
      const fields = unusableFields(parsed.error).join(', ');
      return unusable(CLOSE_PROTOCOL, `reading "start": found no usable ${fields}`);
    }
    const { streamSid, callSid, customParameters, mediaFormat } = parsed.data;
    const format = this.#dialect.formatOf(mediaFormat);
    if (format === null) {
      const found = formatForPeople(mediaFormat);
      return unusable(
        CLOSE_UNSUPPORTED,
        `starting a stream: found ${found}, wanted ${this.#dialect.wanted}, with 1`,
      );
    }
    this.#format = format;
    this.#streamSid = streamSid;
    this.#read = this.#dialect.createReader(streamSid);
    const head = `"streamSid":${JSON.stringify(streamSid)}`;
    this.#mediaHead = `{"event":"media",${head},"media":{"payload":"`;
    this.#clear = `{"event":"clear",${head}}`;
    this.#maxBytes = MAX_MESSAGE_MS * (format.sampleRate / 1000) * (format.encoding === 'l16' ? 2 : 1);
    const parameters = textParameters(customParameters ?? {});
    const start = { callId: callSid ?? null, streamId: streamSid, parameters };
    return [{ type: 'started', start: { ...start, receive: format, send: format } }];
  }

  #decodeMedia(message: Message): readonly MediaEvent[] {
    const audio = audioOf(message);
    if (audio.payload === null) return audio.events;
    const { payload, media } = audio;
    if (payload.length === 0) return [];
    return this.#heard({ type: 'audio', payload, mediaTimeMs: wholeNumber(media['timestamp']) });
  }

  #heard(audio: AudioEvent): readonly MediaEvent[] {
    const isHalf = this.#format?.encoding === 'l16' && audio.payload.length % 2 !== 0;
    return isHalf ? fault('bad-payload', 'half a sample of L16') : [audio];
  }

  #decodeMark(message: Message): readonly MediaEvent[] {
    const name = markNameOf(fieldOf(message, 'mark', 'name'));
    if (name === null) return fault('bad-payload', 'a mark without a usable name');
    return [{ type: 'mark', name, outcome: this.#marks.echoed(name) }];
  }

  #decodeStop(): readonly MediaEvent[] {
    this.#stopped = true;
    return [{ type: 'stopped' }];
  }

  #encodeAudio(payload: Uint8Array): readonly string[] {
    const bytes =
      this.#format?.encoding === 'l16'
        ? this.#samples.take(payload)
        : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    return inMessages(this.#mediaHead, bytes, this.#maxBytes);
  }
}

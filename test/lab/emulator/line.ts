/** A client of the emulated service on virtual time: sends frames, lets time pass, keeps what came back. */
import type { BehaviourValues } from '../../../src/gemini/behaviours.ts';
import { tonePhrase } from '../../../src/lab/clip.ts';
import type { EmulatorRecord } from '../../../src/lab/emulator/record.ts';
import { EmulatedService } from '../../../src/lab/emulator/service.ts';
import type { EmulatorOutput, LiveSession } from '../../../src/lab/emulator/session.ts';
import { makeReply, makeScenario, type Scenario } from '../../../src/lab/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a server sends is read freely in tests
export type Json = any;

export const FRAME_MS = 20;
const FRAME_SAMPLES = 320;

/** A loud voice-like sound: a low note with overtones whose level swells five times a second. */
export function voice(frame: number): Int16Array {
  return Int16Array.from({ length: FRAME_SAMPLES }, (_, index) => {
    const t = (frame * FRAME_SAMPLES + index) / 16_000;
    const swell = 0.6 + 0.4 * Math.sin(2 * Math.PI * 5 * t);
    return Math.round(5000 * swell * (Math.sin(2 * Math.PI * 220 * t) + Math.sin(2 * Math.PI * 660 * t)));
  });
}

export const base64 = (samples: Int16Array): string =>
  Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString('base64');

export const audioMessage = (samples: Int16Array, mimeType = 'audio/pcm;rate=16000') => ({
  realtimeInput: { audio: { data: base64(samples), mimeType } },
});

export const MODELS = {
  '2.5': 'models/gemini-2.5-flash-native-audio-preview-12-2025',
  '3.1': 'models/gemini-3.1-flash-live-preview',
  '3.8': 'models/gemini-3.8-live',
  '3.8-extended-thinking': 'models/gemini-3.8-live-extended-thinking',
} as const;

/** The least setup that the family takes, with both transcriptions. */
export function setupFor(family: keyof typeof MODELS = '2.5', extra: object = {}): Json {
  const thinking = family === '3.8-extended-thinking' ? { thinkingConfig: { thinkingLevel: 'LOW' } } : {};
  return {
    setup: {
      model: MODELS[family],
      generationConfig: { responseModalities: ['AUDIO'], ...thinking },
      inputAudioTranscription: {},
      outputAudioTranscription: {},
      ...extra,
    },
  };
}

export interface Received {
  readonly atMs: number;
  readonly message: Json;
}

export class Line {
  nowMs = 0;
  readonly received: Received[] = [];
  /** What was wanted of the socket, but for messages and ends. */
  readonly socket: { readonly atMs: number; readonly output: object }[] = [];
  closed: { readonly atMs: number; readonly code: number; readonly reason: string } | null = null;
  readonly service: EmulatedService;
  readonly session: LiveSession;
  readonly record: EmulatorRecord;
  /** Must stay empty. */
  readonly afterTheEnd: EmulatorOutput[] = [];
  #over = false;
  #frame = 0;

  constructor(
    scenario: Scenario,
    options: {
      behaviours?: Partial<BehaviourValues>;
      key?: string;
      apiVersion?: string;
      vertex?: boolean;
      /** Goes on with another line's service, at its time. */
      after?: Line;
    } = {},
  ) {
    const { behaviours = {}, key = 'k', apiVersion = 'v1beta', vertex = false, after } = options;
    this.service = after?.service ?? new EmulatedService({ scenario, behaviours });
    this.nowMs = after?.nowMs ?? 0;
    this.session = this.service.connect({ apiVersion, vertex, key }, this.nowMs);
    this.record = this.service.sessions.at(-1)!;
    this.wait(0);
  }

  send(message: object): this {
    this.#keep(this.session.receive(JSON.stringify(message), this.nowMs));
    return this;
  }

  sendRaw(data: string | Uint8Array): this {
    this.#keep(this.session.receive(data, this.nowMs));
    return this;
  }

  /** Lets time pass without sending. */
  wait(ms: number): this {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const dueMs = this.session.nextDueMs;
      if (dueMs === null || dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.#keep(this.session.tick(this.nowMs));
    }
    this.nowMs = untilMs;
    return this;
  }

  /** The caller speaks, in real time. */
  speak(ms: number): this {
    return this.#stream(ms, (frame) => voice(frame));
  }

  silence(ms: number): this {
    return this.#stream(ms, () => new Int16Array(FRAME_SAMPLES));
  }

  open(family: keyof typeof MODELS = '2.5', extra: object = {}): this {
    return this.send(setupFor(family, extra)).wait(300);
  }

  /** Kinds of what came, in order, without what keeps no order. Chunks in a row count once. */
  kinds(from = 0): string[] {
    const kinds = this.received
      .slice(from)
      .map((entry) => kindOf(entry.message))
      .filter((kind) => kind !== 'sessionResumptionUpdate' && !kind.endsWith('Transcription'));
    return kinds.filter((kind, index) => kind !== 'audio' || kinds[index - 1] !== 'audio');
  }

  of(kind: string): Received[] {
    return this.received.filter((entry) => kindOf(entry.message) === kind);
  }

  text(kind: 'inputTranscription' | 'outputTranscription'): string {
    return this.of(kind)
      .map((entry) => entry.message.serverContent[kind].text)
      .join('');
  }

  audioBytes(): Buffer {
    const parts = this.received.flatMap((entry) => entry.message.serverContent?.modelTurn?.parts ?? []);
    return Buffer.concat(parts.map((part: Json) => Buffer.from(part.inlineData?.data ?? '', 'base64')));
  }

  #stream(ms: number, make: (frame: number) => Int16Array): this {
    for (let passed = 0; passed < ms; passed += FRAME_MS) {
      this.wait(FRAME_MS);
      if (this.closed !== null) return this;
      this.send(audioMessage(make(this.#frame++)));
    }
    return this;
  }

  #keep(outputs: readonly EmulatorOutput[]): void {
    for (const output of outputs) {
      if (this.#over) this.afterTheEnd.push(output);
      this.#over ||=
        'cut' in output || 'close' in output || 'refuse' in output || ('freeze' in output && output.forever);
      if ('send' in output) this.received.push({ atMs: this.nowMs, message: output.send });
      else if ('cut' in output) this.closed = { atMs: this.nowMs, code: 1006, reason: '' };
      else if ('close' in output) {
        this.closed = { atMs: this.nowMs, code: output.close, reason: output.reason };
      } else this.socket.push({ atMs: this.nowMs, output });
    }
  }
}

export function kindOf(message: Json): string {
  const content = message.serverContent;
  if (content === undefined) return Object.keys(message)[0]!;
  return content.modelTurn && !content.interrupted ? 'audio' : Object.keys(content).at(-1)!;
}

/** Greets on text, answers with `ms` of sound, twice different, then asks back. */
export const chat = (model: Partial<Scenario['model']> = {}, ms = 3000): Scenario =>
  makeScenario({
    model: { setupDelayMs: 200, ...model },
    greeting: makeReply({ clip: tonePhrase('hello', 1000), text: 'Hello there, how can I help you today?' }),
    replies: [
      makeReply({
        hears: 'What are your hours please?',
        text: 'We open at nine.',
        clip: tonePhrase('one', ms),
      }),
      makeReply({ hears: 'And on Sunday?', text: 'We are closed.', clip: tonePhrase('two', ms) }),
    ],
    otherwise: [makeReply({ text: 'Sorry?', clip: tonePhrase('sorry', 500) })],
  });

/** A simulated carrier's stream alone, on virtual time: what it says, and what it makes of what it is told. */

import type { OpenProtocol } from '../../../src/lab/caller/protocol.ts';
import { CallerStream, type StreamParts } from '../../../src/lab/caller/stream.ts';
import { VirtualClock } from '../../../src/lab/virtual-clock.ts';

export interface Said {
  readonly atMs: number;
  /** Parsed; null for audio. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the carrier says
  readonly json: any;
  readonly text: string | null;
  readonly audio: Buffer | null;
}

export function openStream(open: OpenProtocol, parts: Partial<StreamParts> = {}) {
  const clock = new VirtualClock({ startMs: 5_000 });
  const said: Said[] = [];
  const asked: { readonly what: 'hang-up' | 'leave' | 'drop'; readonly detail: string }[] = [];
  const stream = new CallerStream({
    clock,
    open,
    caller: Int16Array.from({ length: 16_000 }, (_, n) => Math.round(8_000 * Math.sin(n / 5))),
    dtmf: [],
    send: (message) => {
      const atMs = clock.now() - 5_000;
      if (typeof message !== 'string') said.push({ atMs, json: null, text: null, audio: message });
      else said.push({ atMs, json: parse(message), text: message, audio: null });
    },
    onTimeline: () => {},
    onCallerDone: () => {},
    control: {
      hangUp: (detail) => asked.push({ what: 'hang-up', detail }),
      leave: (detail) => asked.push({ what: 'leave', detail }),
      drop: (detail) => asked.push({ what: 'drop', detail }),
    },
    ...parts,
  });
  return {
    clock,
    stream,
    said,
    asked,
    tell: (message: object | string) =>
      stream.receive(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false),
    play: (audio: Buffer) => stream.receive(audio, true),
    /** Everything said but audio, with the caller's frames in whatever form left out. */
    events: () => said.filter(({ json }) => json !== null && json.event !== 'media'),
    media: () => said.filter(({ json, audio }) => audio !== null || json?.event === 'media'),
    /** At these times, and for so long: the first and the end of every run, in the ear's own samples. */
    heardSpans: (sampleRate: number): readonly (readonly [number, number])[] => {
      const { heard } = stream.account();
      const spans: [number, number][] = [];
      for (let n = 0; n < heard.length; n += 1) {
        if (Math.abs(heard[n]!) <= 8) continue;
        const atMs = (n * 1_000) / sampleRate;
        const last = spans.at(-1);
        if (last !== undefined && atMs - last[1] < 1) last[1] = atMs + 1_000 / sampleRate;
        else spans.push([atMs, atMs + 1_000 / sampleRate]);
      }
      return spans.map(([from, to]) => [Math.round(from * 10) / 10, Math.round(to * 10) / 10]);
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { plain: text };
  }
}

/** Loud L16, little-endian. */
export function loud(ms: number, sampleRate: number, value = 5_000): Buffer {
  const audio = Buffer.alloc((ms * sampleRate * 2) / 1_000);
  for (let at = 0; at < audio.length; at += 2) audio.writeInt16LE(value, at);
  return audio;
}

/** Loud mu-law. */
export const loudPcmu = (ms: number): Buffer => Buffer.alloc(ms * 8, 0x20);

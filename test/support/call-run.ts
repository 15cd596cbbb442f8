/** A finished call made by hand: the parts that a test is about, and nothing for the rest. */
import { PCMU } from '../../src/audio/g711.ts';
import type { CallRun } from '../../src/lab/caller/call-run.ts';

/** What the other end has of a signal after G.711. */
export const overG711 = (samples: Int16Array): Int16Array => PCMU.decode(PCMU.encode(samples)).slice();

export function makeRun(parts: Partial<CallRun>): CallRun {
  return {
    carrier: 'twilio',
    callSid: 'CA1',
    streamSid: 'MZ1',
    from: '+15550100001',
    to: '+15550100002',
    startedAtEpochMs: Date.UTC(2026, 0, 1),
    originMs: 0,
    durationMs: (parts.heard?.length ?? 0) / 8,
    sampleRate: 8000,
    sent: new Int16Array(0),
    frameWrittenMs: Array.from({ length: 5_000 }, (_, frame) => (frame + 1) * 20),
    heard: new Int16Array(0),
    received: [],
    runs: [],
    generations: [],
    clears: [],
    unplayed: new Int16Array(0),
    marks: [],
    dtmf: [],
    messagesSent: {},
    messagesReceived: {},
    invalidMessages: [],
    timeline: [],
    end: { by: 'gateway', how: 'stream-closed', detail: '' },
    ...parts,
  };
}

/** Something like speech: noise in bursts whose loudness and colour change, never the same twice. 8 kHz. */
export function babble(ms: number, seed: number): Int16Array {
  let state = seed;
  let last = 0;
  return Int16Array.from({ length: ms * 8 }, (_, n) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    last = 0.7 * last + (state / 2 ** 32 - 0.5) * 6_000;
    return Math.round(last * (0.6 + 0.4 * Math.sin(n / 700)));
  });
}

/** Signals one after the other; a number is that many milliseconds of silence at 8 kHz. */
export function sequence(...parts: (Int16Array | number)[]): Int16Array {
  return Int16Array.from(
    parts.flatMap((part) => (typeof part === 'number' ? new Array(part * 8).fill(0) : [...part])),
  );
}

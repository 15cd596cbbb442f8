/** Playout on virtual time with a simulated carrier behind it: what a test of playout needs to say and to see. */
import { expect } from 'vitest';
import { Playout, type PlayoutLimits } from '../../src/call/playout.ts';
import { bytesOf, l16, numbered, SAMPLES_PER_MS, SimulatedCarrier } from './simulated-carrier.ts';

export const LIMITS: PlayoutLimits = {
  exactFrameMs: null,
  packetMs: 60,
  leadMs: 400,
  maxLeadMs: 1_000,
  startBufferMs: 0,
  supportsMarks: true,
  marksAtClear: 'reported',
  acknowledgesClear: false,
};

export class PlayoutDesk {
  nowMs = 1_000;
  readonly limits: PlayoutLimits;
  readonly playout: Playout;
  carrier: SimulatedCarrier;
  readonly audible: { turn: number; padMs: number; atMs: number }[] = [];
  readonly underruns: { gapMs: number; seenBy: string }[] = [];
  readonly drainedAtMs: number[] = [];
  overflowMs = 0;
  /** Samples queued so far: the next one gets this number. */
  queued = 0;

  constructor(limits: Partial<PlayoutLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
    this.playout = new Playout(l16(), this.limits, {
      onAudible: (turn, padMs) => this.audible.push({ turn, padMs, atMs: this.nowMs }),
      onUnderrun: (gapMs, seenBy) => this.underruns.push({ gapMs, seenBy }),
      onOverflow: (droppedMs) => {
        this.overflowMs += droppedMs;
      },
      onDrained: () => this.drainedAtMs.push(this.nowMs),
    });
    this.carrier = this.newCarrier();
    this.playout.attach(this.carrier, this.nowMs);
  }

  newCarrier(upMs = 0, downMs = 0): SimulatedCarrier {
    const carrier = new SimulatedCarrier(() => this.nowMs);
    carrier.upMs = () => upMs;
    carrier.downMs = () => downMs;
    return carrier;
  }

  /** The model says so many samples more of a turn. */
  say(samples: number, turn = 1): void {
    const from = this.queued;
    this.queued += samples;
    this.playout.append(bytesOf(numbered(from, this.queued)), turn, this.nowMs);
  }

  sayMs(ms: number, turn = 1): void {
    this.say(ms * SAMPLES_PER_MS, turn);
  }

  endTurn(): void {
    this.playout.endTurn(this.nowMs);
  }

  /** Lets `ms` pass: ticks every 20 ms, echoes as they come. */
  run(ms: number, each: () => void = () => {}): void {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs = Math.min(untilMs, (Math.floor(this.nowMs / 5) + 1) * 5);
      for (const { name, outcome } of this.carrier.takeEchoes())
        this.playout.echoed(name, outcome, this.nowMs);
      if (this.nowMs % 20 === 0) this.playout.tick(this.nowMs);
      each();
    }
  }

  /** The numbers of all samples that were queued, as the caller should hear them. */
  get all(): number[] {
    return Array.from(numbered(0, this.queued));
  }
}

/** Compares long runs of samples without printing them. */
export function same(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  const at = found.findIndex((sample, i) => sample !== wanted[i]);
  expect(at === -1 ? 'the same' : `differs at sample ${at}`).toBe('the same');
}

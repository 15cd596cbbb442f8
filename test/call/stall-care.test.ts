import { describe, expect, test } from 'vitest';
import { Journal, type JournalEntry } from '../../src/call/journal.ts';
import { StallCare } from '../../src/call/stall-care.ts';
import { DEFAULT_STALL_POLICY, type StallPolicy } from '../../src/call/stall-policy.ts';
import { emptyTotals } from '../../src/call/totals.ts';

/** A care whose deeds are written down, on a clock of its own. */
class Desk {
  readonly deeds: string[] = [];
  readonly entries: JournalEntry[] = [];
  readonly totals = emptyTotals();
  nowMs = 0;
  readonly care: StallCare;

  constructor(policy: Partial<StallPolicy> = {}) {
    const journal = new Journal(
      { ref: 'r', carrier: 'twilio', carrierCallId: 'CA1', bot: 'b', model: 'm' },
      () => this.nowMs,
      [(entry) => this.entries.push(structuredClone(entry))],
    );
    this.care = new StallCare({ ...DEFAULT_STALL_POLICY, ...policy }, journal, this.totals, {
      playFiller: () => this.deeds.push('filler'),
      nudge: (text) => this.deeds.push(`nudge: ${text}`),
      dropInaudible: () => this.deeds.push('drop'),
      reconnect: (_detail, byHand) => this.deeds.push(byHand ? 'manual' : 'reconnect'),
      startAfresh: () => this.deeds.push('fresh'),
      end: () => this.deeds.push('end'),
    });
    this.care.sessionReady({ resumed: false }, 0);
  }

  tick(ms: number, unplayedMs = 0): void {
    for (let passed = 0; passed < ms; passed += 20) {
      this.nowMs += 20;
      this.care.tick(this.nowMs, unplayedMs);
    }
  }

  callerAsks(): void {
    this.care.facts.utteranceStarted();
    this.tick(1_000);
    this.care.facts.utteranceEnded({ durationMs: 1_000, lastSpeechAtMs: this.nowMs }, this.nowMs);
  }

  get steps(): string[] {
    return this.entries.flatMap((entry) => (entry.type === 'stall' ? [entry.step] : []));
  }
}

const speech = (level: number): Uint8Array => new Uint8Array(new Int16Array(2_400).fill(level).buffer);

describe('the care of a stall', () => {
  test('does each step once, in order, and writes it down', () => {
    const desk = new Desk({ ignoredSteps: ['end'], fillerEveryMs: 60_000 });
    desk.callerAsks();
    desk.tick(40_000);
    expect(desk.deeds.map((deed) => deed.split(':')[0])).toEqual([
      'filler',
      'nudge',
      'reconnect',
      'manual',
      'fresh',
      'end',
    ]);
    expect(desk.deeds[1]).toMatch(/^nudge: \[Note from the telephone system\] The caller has spoken/);
    expect(desk.steps).toEqual(['filler', 'wait', 'nudge', 'rotate', 'manual', 'fresh', 'end']);
    expect(desk.totals.stalls).toEqual({ unanswered: 1 });
  });

  test('does nothing once the model is heard', () => {
    const desk = new Desk();
    desk.callerAsks();
    desk.tick(1_500);
    desk.care.onAudio(speech(4_000), 24_000, true, desk.nowMs);
    desk.care.onModel({ type: 'generation-complete' }, 0, desk.nowMs);
    desk.care.onModel({ type: 'turn-complete', reason: null }, 0, desk.nowMs);
    desk.tick(40_000);
    expect(desk.deeds).toEqual([]);
  });

  test('does not take audio that nobody will hear for an answer', () => {
    const desk = new Desk();
    desk.callerAsks();
    desk.tick(1_500);
    desk.care.onAudio(speech(4_000), 24_000, false, desk.nowMs);
    desk.tick(10_000);
    expect(desk.deeds).not.toEqual([]);
  });

  test('drops what is queued of a turn that nobody can hear, and asks for it again', () => {
    const desk = new Desk();
    desk.callerAsks();
    desk.tick(1_000);
    for (let i = 0; i < 5; i++) desk.care.onAudio(speech(1), 24_000, true, desk.nowMs);
    desk.care.onModel({ type: 'output-transcript', text: 'Hello' }, 500, desk.nowMs);
    desk.care.onModel({ type: 'generation-complete' }, 500, desk.nowMs);
    desk.care.onModel({ type: 'turn-complete', reason: null }, 500, desk.nowMs);
    desk.tick(4_000, 500);
    expect(desk.deeds).toContain('drop');
    expect(desk.deeds.find((deed) => deed.startsWith('nudge'))).toContain('Say it again');
    expect(desk.totals.stalls).toEqual({ 'near-silent-audio': 1 });
  });

  test('measures the loudness of each turn by itself', () => {
    const desk = new Desk();
    desk.care.onAudio(speech(4_000), 24_000, true, desk.nowMs);
    desk.care.onModel({ type: 'generation-complete' }, 0, desk.nowMs);
    desk.care.onModel({ type: 'turn-complete', reason: null }, 0, desk.nowMs);
    desk.tick(2_000);
    desk.callerAsks();
    desk.tick(1_000);
    for (let i = 0; i < 5; i++) desk.care.onAudio(speech(1), 24_000, true, desk.nowMs);
    desk.care.onModel({ type: 'generation-complete' }, 0, desk.nowMs);
    desk.care.onModel({ type: 'turn-complete', reason: null }, 0, desk.nowMs);
    desk.tick(4_000);
    expect(desk.totals.stalls).toEqual({ 'near-silent-audio': 1 });
  });

  test('lets a model be that says that it waits for more', () => {
    const desk = new Desk();
    desk.callerAsks();
    desk.tick(1_000);
    desk.care.onModel({ type: 'waiting-for-input' }, 0, desk.nowMs);
    desk.tick(20_000);
    expect(desk.deeds).toEqual([]);
  });

  test('takes an interruption for the caller’s only when the caller has spoken', () => {
    const interrupted = (asks: boolean): readonly string[] => {
      const desk = new Desk();
      desk.care.onAudio(speech(4_000), 24_000, true, desk.nowMs);
      desk.tick(3_000, 1_000);
      if (asks) desk.care.facts.utteranceStarted();
      desk.care.onModel({ type: 'interrupted' }, 1_000, desk.nowMs);
      if (asks) desk.care.facts.utteranceEnded({ durationMs: 400, lastSpeechAtMs: desk.nowMs }, desk.nowMs);
      desk.tick(2_800);
      return desk.entries.flatMap((entry) => (entry.type === 'stall' ? [entry.sign] : []));
    };
    expect(interrupted(false)).toContain('phantom-interrupted');
    expect(interrupted(true)).not.toContain('phantom-interrupted');
  });
});

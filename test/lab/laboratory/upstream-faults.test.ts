/**
 * What goes wrong on Gemini's side, class by class (U1 to U27), each with what the caller may notice of it at most. On
 * whole calls, unless it is shown where the fault comes in: a server that never answers the upgrade (U12), a message
 * beyond 4 MiB (U20) and frames that are no messages (U22) also in the tests of the connection.
 */
import { describe, expect, it } from 'vitest';
import type { FaultFile } from '../../../src/lab/emulator/faults/catalogue.ts';
import {
  type LabCallOptions,
  type LabCallResult,
  runLabCalls,
} from '../../../src/lab/laboratory/run-lab-call.ts';
import { type Act, talk, wait } from '../../../src/lab/laboratory/story.ts';

/** Three questions, and the end of the call well behind the last answer. */
const TALK: readonly Act[] = [talk(2_000), talk(2_500), talk(1_500), wait(8_000)];

const play = (faults: readonly FaultFile[], options: Partial<LabCallOptions> = {}): Promise<LabCallResult> =>
  runLabCalls({ acts: TALK, faults, ...options });

/** Every connection behind the first goes on with the session; what the caller said and heard is whole. */
function expectContinued(result: LabCallResult): void {
  expect(result.broken).toEqual([]);
  expect(result.of('session-ready').map(({ how }) => how)).toEqual(
    result.of('session-ready').map((_, index) => (index === 0 ? 'first' : 'resumed')),
  );
  expectToTheEnd(result);
}

function expectToTheEnd({ call }: LabCallResult): void {
  expect(call.ended).toMatchObject({ who: 'caller', how: 'completed' });
}

/** The model is out of reach: an apology, a goodbye of the gateway's own, and no attempts for ever. */
function expectPoliteEnd(result: LabCallResult, mostAttempts: number): void {
  expect(result.call.ended).toMatchObject({ who: 'model', how: 'error' });
  expect(result.of('clip-played').map(({ pii }) => pii.text)).toContain('Sorry.');
  expect(result.of('session-connecting').length).toBeLessThanOrEqual(mostAttempts);
}

const longestDeadAirMs = ({ call }: LabCallResult): number =>
  Math.max(...call.deadAir.map(({ forMs }) => forMs));

describe('the connection is to end, or ends', () => {
  it.each([50_000, 5_000])(
    'U1 goAway with %i ms left and nobody speaking: replaced in the quiet',
    async (timeLeftMs) => {
      const result = await play([{ at: 'second:14', fault: 'go-away', timeLeftMs }], {
        acts: [talk(2_000), wait(12_000), talk(2_000), wait(6_000)],
      });
      expectContinued(result);
      const [rotated] = result.of('rotated');
      expect(rotated).toMatchObject({ planned: true, resentMs: 0 });
      expect(rotated!.gapMs).toBeLessThanOrEqual(2_000);
    },
  );

  it('U1 goAway with no time left: replaced all the same, and nothing is lost', async () => {
    const result = await play([{ at: 'second:14', fault: 'go-away', timeLeftMs: 0 }], {
      acts: [talk(2_000), wait(12_000), talk(2_000), wait(6_000)],
    });
    expectContinued(result);
    expect(result.of('rotated')).toHaveLength(1);
  });

  it('U2 goAway while the bot speaks: it speaks to its end first', async () => {
    const result = await play([{ at: 'turn:2', fault: 'go-away', timeLeftMs: 30_000, afterMs: 300 }]);
    expectContinued(result);
    const [rotated] = result.of('rotated');
    const spoke = result.of('turn-ended').find(({ turn }) => turn === 2)!;
    expect(spoke.how).toBe('complete');
    expect(rotated!.planned).toBe(true);
    expect(rotated!.atMs - rotated!.gapMs).toBeGreaterThanOrEqual(spoke.atMs);
  });

  it('U4 cut in the middle of a turn: the session goes on within a second and a half, and repeats nothing', async () => {
    const result = await play([{ at: 'turn:2', fault: 'cut', afterMs: 500 }]);
    expectContinued(result);
    expect(result.of('rotated')[0]!.gapMs).toBeLessThanOrEqual(1_500);
    expect(result.of('greeting-triggered')).toHaveLength(1);
  });

  it('U5 closed once with 1011: taken up again, within the budget', async () => {
    const result = await play([{ at: 'turn:2', fault: 'close', close: 'internal', afterMs: 500 }]);
    expectContinued(result);
    expect(result.of('rotated')[0]!.gapMs).toBeLessThan(8_000);
  });

  it('U6 closed with 1011 at every attempt to resume: an older handle, then a new session that is told', async () => {
    const result = await play(
      [
        { at: 'turn:3', fault: 'cut', afterMs: 500 },
        { at: 'resume', fault: 'close', close: 'internal', times: 'always' },
      ],
      { acts: [talk(2_000), talk(2_500), wait(40_000), talk(1_500), wait(8_000)] },
    );
    const rungs = result.of('session-connecting').map(({ rung }) => rung);
    expect([...new Set(rungs)]).toEqual(['first', 'newest', 'older', 'fresh']);
    // Tried for as long as an old socket may be taken for open, and not in a hurry.
    expect(rungs.length).toBeLessThan(60);
    expect(result.of('session-ready').map(({ how }) => how)).toEqual(['first', 'fresh']);
    expect(result.of('greeting-triggered')).toHaveLength(1);
    expectToTheEnd(result);
  });

  it('U7 closed with 1007 in mid call: one new session, and the handle is not tried again', async () => {
    const result = await play([{ at: 'second:45', fault: 'close', close: 'invalid-argument' }], {
      acts: [talk(2_000), wait(40_000), ...TALK],
    });
    expect(result.of('session-connecting').map(({ rung }) => rung)).toEqual(['first', 'fresh']);
    expect(result.of('session-ready').map(({ how }) => how)).toEqual(['first', 'fresh']);
    expect(result.broken).toEqual([]);
    expectToTheEnd(result);
  });

  it('U7 closed with 1007 at its setup: that setup is wrong, and the call ends politely', async () => {
    const result = await play([{ at: 'setup', fault: 'close', close: 'invalid-argument', times: 'always' }]);
    expectPoliteEnd(result, 1);
  });

  it('U8 a key that is turned down: no second attempt, and a polite end', async () => {
    const result = await play([{ at: 'setup', fault: 'close', close: 'key-not-valid', times: 'always' }]);
    expectPoliteEnd(result, 1);
  });

  it('U8 a key that is turned down in mid call: no loop, and a polite end', async () => {
    const result = await play(
      [
        { at: 'second:45', fault: 'close', close: 'key-expired' },
        { at: 'setup:2', fault: 'close', close: 'key-expired', times: 'always' },
      ],
      { acts: [talk(2_000), wait(40_000), ...TALK] },
    );
    expectPoliteEnd(result, 2);
  });

  it('U9 a handle that nobody knows: a new session that is told, after no more than the handles there are', async () => {
    const result = await play([], {
      calamities: [{ atMs: 14_000, what: { kind: 'away', forMs: 100, handles: 'lost' } }],
    });
    const rungs = result.of('session-connecting').map(({ rung }) => rung);
    expect(rungs.at(-1)).toBe('fresh');
    expect(rungs.length).toBeLessThanOrEqual(5);
    expect(result.broken).toEqual([]);
    expectToTheEnd(result);
  });

  it('U10 cut before the first handle came: a new session, and one greeting', async () => {
    const result = await play([{ at: 'setup', fault: 'cut', afterMs: 100 }]);
    expect(result.of('session-ready').map(({ how }) => how)).not.toContain('resumed');
    expect(result.broken).toEqual([]);
    expect(result.call.outbound.greetings).toBe(1);
    expectToTheEnd(result);
  });

  it('U11 the session is taken up again and again: it is asked to greet once', async () => {
    const result = await play([
      { at: 'second:8', fault: 'cut' },
      { at: 'second:16', fault: 'cut' },
      { at: 'second:24', fault: 'cut' },
    ]);
    expect(result.of('rotated').length).toBeGreaterThanOrEqual(3);
    expect(result.of('greeting-triggered')).toHaveLength(1);
    expect(result.call.outbound.greetings).toBe(1);
    expect(result.broken).toEqual([]);
  });
});

describe('it cannot be reached', () => {
  it('U12 a connect that hangs: given up after eight seconds, with something to hear meanwhile', async () => {
    const result = await play(
      [
        { at: 'utterance:2', fault: 'cut', afterMs: 1_000 },
        { at: 'connect:2', fault: 'half-open' },
      ],
      { acts: [talk(2_000), talk(2_500), wait(20_000), talk(1_500), wait(8_000)] },
    );
    expect(result.of('session-failed')[0]!.detail).toContain('no answer within 8000 ms');
    expect(result.call.outbound.fillers).toBeGreaterThan(0);
    expectContinued(result);
  });

  it('U13 a name that takes six seconds to resolve: the call waits for it', async () => {
    const result = await play([], { handshakeMs: 6_000, bot: { greeting: { mode: 'at-once' } } });
    expect(result.of('session-connecting')).toHaveLength(1);
    expectToTheEnd(result);
  });

  it('U13 a name that does not resolve: attempts within the budget, then a polite end', async () => {
    const result = await play([], {
      acts: [wait(90_000)],
      calamities: [{ atMs: 100, what: { kind: 'away', forMs: 3_600_000, handles: 'lost' } }],
    });
    expectPoliteEnd(result, 15);
    const attempts = result.of('session-connecting');
    expect(attempts.at(-1)!.atMs - attempts[0]!.atMs).toBeLessThanOrEqual(30_000);
  });

  it('U14 setupComplete never comes: the next attempt after eight seconds', async () => {
    const result = await play([{ at: 'setup', fault: 'never-complete' }], { acts: [wait(14_000), ...TALK] });
    expect(result.of('session-failed')[0]!.detail).toContain('no answer within 8000 ms');
    expect(result.call.outbound.greetings).toBe(1);
    expect(result.broken).toEqual([]);
    expectToTheEnd(result);
  });

  it('U15 429 while a connection is replaced: the live call goes on over another attempt', async () => {
    const result = await play([
      { at: 'turn:2', fault: 'cut', afterMs: 500 },
      { at: 'connect:2', fault: 'refuse', status: 429, times: 2 },
    ]);
    expect(result.of('session-failed').map((entry) => entry.class)).toContain('quota');
    expectContinued(result);
  });
});

describe('it is slow, or comes in pieces', () => {
  it('U16 eight seconds to the first audio: fillers from a second and a half on, and barge-in still works', async () => {
    const result = await play([{ at: 'turn:2', fault: 'slow-answer', delayMs: 8_000 }], {
      acts: [talk(2_000), wait(14_000), talk(2_000), talk(1_200, 'bot-speaks', 600), wait(8_000)],
    });
    const [filler] = result.of('clip-played').filter(({ isFiller }) => isFiller);
    const [spoke] = result.of('utterance-ended');
    // From when the answer was due, which is the model's own pause after the last sound.
    expect(filler!.atMs - spoke!.lastSpeechAtMs).toBeGreaterThanOrEqual(1_500);
    expect(filler!.atMs - spoke!.lastSpeechAtMs).toBeLessThanOrEqual(2_500);
    expect(result.of('barge-in').length).toBeGreaterThan(0);
    expect(result.broken).toEqual([]);
  });

  it('U17 half open while the caller speaks: found out and replaced, and the words arrive', async () => {
    const result = await play([{ at: 'utterance:2', fault: 'half-open' }], {
      acts: [talk(2_000), talk(6_000), wait(25_000), talk(1_500), wait(8_000)],
    });
    expect(result.of('session-lost').length + result.of('rotated').length).toBeGreaterThan(0);
    expectContinued(result);
    expect(longestDeadAirMs(result)).toBeLessThanOrEqual(12_000);
  });

  it.each([200, 1_000, 3_000])(
    'U18 a gap of %i ms inside a turn: silence, and then the rest of it',
    async (forMs) => {
      const result = await play([{ at: 'turn:2', fault: 'stall', afterMs: 300, forMs }]);
      expectContinued(result);
      expect(result.of('turn-ended').map(({ how }) => how)).not.toContain('dropped');
    },
  );

  it('U19 half a minute of audio at once: paced out, bounded, and cleared by an interruption', async () => {
    const result = await play([], {
      acts: [...Array.from({ length: 16 }, () => talk(700)), talk(1_200, 'bot-speaks', 1_000), wait(6_000)],
      model: { pace: 'burst' },
    });
    // One of sixteen answers lasts twelve seconds; all of it comes in one go.
    expect(Math.max(...result.of('turn-ended').map(({ generatedMs }) => generatedMs))).toBeGreaterThan(
      10_000,
    );
    expect(result.call.longestQueueMs).toBeLessThan(1_000);
    expect(result.of('barge-in').some(({ droppedMs }) => droppedMs > 1_000)).toBe(true);
    expect(result.broken).toEqual([]);
  });
});

it('a turn that never ends, and words that get no answer: it is the answer that is waited for', async () => {
  // The end of the turn is overdue just when the caller falls silent.
  const result = await play(
    [
      { at: 'turn:2', fault: 'no-turn-complete' },
      { at: 'utterance:2', fault: 'swallow' },
    ],
    { acts: [talk(2_000), talk(6_000), wait(20_000), talk(1_500), wait(8_000)] },
  );
  expect(result.of('model-told').map(({ what }) => what)).toContain('nudge');
  expect(longestDeadAirMs(result)).toBeLessThanOrEqual(3_000);
});

describe('its messages are not as they should be', () => {
  it('U21 chunks that cut samples in two, and empty ones: every sample is heard, once', async () => {
    const result = await play([
      { at: 'turn:2', fault: 'odd-chunks' },
      { at: 'turn:3', fault: 'empty-parts' },
    ]);
    expectContinued(result);
    expect(result.call.outbound.foreignSamples).toBe(0);
  });

  it('U22 no JSON, messages nobody knows, fields that are new or merged: counted, and ignored', async () => {
    const result = await play([
      { at: 'turn:2', fault: 'not-json', afterMs: 200 },
      { at: 'turn:2', fault: 'unknown-message', afterMs: 300 },
      { at: 'turn:3', fault: 'unknown-fields' },
      { at: 'turn:4', fault: 'merged-fields' },
    ]);
    expectContinued(result);
    expect(result.of('session-ready')).toHaveLength(1);
    expect(result.of('bug')).toEqual([]);
  });

  it('U26 interrupted when the audio has long been sent: cleared at once, and what is late is dropped', async () => {
    const result = await play([], {
      acts: [
        talk(2_000),
        talk(1_500, 'bot-speaks', 700),
        wait(3_000),
        talk(1_500, 'bot-speaks', 900),
        wait(6_000),
      ],
      bot: { bargeIn: { tracker: false } },
      model: { pace: 'burst', behaviours: { interruptsAssumedPlayback: true } },
    });
    const byModel = result.of('barge-in').filter(({ by }) => by === 'model');
    expect(byModel.length).toBeGreaterThan(0);
    for (const { gatewayMs } of byModel) expect(gatewayMs).toBeLessThanOrEqual(50);
    expect(result.broken).toEqual([]);
  });

  it.each(['turn-totals', 'chunk-deltas'] as const)(
    'U27 usage as %s: what was spoken only ever grows',
    async (usageReports) => {
      const result = await play([{ at: 'second:14', fault: 'cut' }], {
        model: { behaviours: { usageReports } },
      });
      const { totals } = result.of('call-ended')[0]!;
      const spokenMs = result.of('turn-ended').reduce((sum, { generatedMs }) => sum + generatedMs, 0);
      // 25 tokens a second, to a tenth: also where the reports were lost with their connection.
      expect(totals.responseTokens).toBeGreaterThan(spokenMs * 0.025 * 0.9);
      expect(totals.responseTokens).toBeLessThan(spokenMs * 0.025 * 1.1);
    },
  );
});

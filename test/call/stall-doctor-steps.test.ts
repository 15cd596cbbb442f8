import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stallSchema } from '../../src/bots/stall-schema.ts';
import { nudgeFor, StallDoctor } from '../../src/call/stall-doctor.ts';
import { TurnLoudness } from '../../src/call/stall-level.ts';
import {
  DEFAULT_STALL_POLICY,
  STALL_SIGNS,
  STALL_STEPS,
  type StallPolicy,
  type StallSign,
} from '../../src/call/stall-policy.ts';
import { Desk, LOUD, TICK_MS, WHISPER } from './stall-desk.ts';

const NOISELESS = 'Hello, and welcome.';
const withoutFillers = (desk: Desk) =>
  desk.log.filter(({ action }) => action.step !== 'filler').map(({ action }) => action.step);

/** A model whose fault is beyond doubt: words, and no sound. */
const silentTurn = (policy: Partial<StallPolicy> = {}): Desk =>
  new Desk(policy).greeted().caller().wait(600).text('At nine.').complete().mark();

describe('the steps', () => {
  test('are taken in their order and at their times while the fault stands', () => {
    expect(
      silentTurn()
        .wait(60_000)
        .steps.filter((step) => !step.includes('filler')),
    ).toEqual([
      'silent-turn wait 0.3',
      'silent-turn nudge 1.3',
      'silent-turn rotate 7.8',
      'silent-turn fresh 15.8',
      'silent-turn end 29.8',
    ]);
  });

  test('keep their distance from each other when one of them was late', () => {
    const desk = silentTurn().plays(7_000).wait(60_000);
    const atMs = (step: string): number => desk.log.find(({ action }) => action.step === step)!.atMs;
    expect(atMs('nudge') - desk.markMs).toBeGreaterThan(6_900);
    expect(atMs('rotate') - atMs('nudge')).toBeGreaterThanOrEqual(4_000);
    expect(atMs('fresh') - atMs('rotate')).toBeGreaterThanOrEqual(8_000);
    expect(atMs('end') - atMs('fresh')).toBeGreaterThanOrEqual(14_000);
  });

  test('fill dead air 1.5 s after an answer was due, and then every 6 s', () => {
    const times = silentTurn()
      .wait(29_000)
      .log.filter(({ action }) => action.step === 'filler')
      .map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThan(3);
    for (const [i, atMs] of times.slice(1).entries()) expect(atMs - times[i]!).toBe(6_000);
  });

  test('never fill while something is playing', () => {
    const desk = silentTurn();
    for (let i = 0; i < 40; i++) desk.plays(100).wait(100);
    expect(desk.log.map(({ action }) => action.step)).not.toContain('filler');
  });

  test('begin again from the first after the model was heard', () => {
    const desk = silentTurn().wait(10_000).says('We open at nine.').wait(2_000);
    expect(desk.doctor.ignored).toBe(0);
    const before = desk.log.length;
    desk.caller().wait(600).text('At nine.').complete().wait(9_000);
    const again = desk.log.slice(before).map(({ action }) => action.step);
    expect(again.filter((step) => step !== 'filler')).toEqual(['wait', 'nudge', 'rotate']);
  });

  test('are not begun again by sound that nobody can hear', () => {
    const desk = silentTurn().wait(6_000).audio(200, WHISPER).wait(4_000);
    expect(withoutFillers(desk)).toEqual(['wait', 'nudge', 'rotate']);
  });

  test('end with the last: nothing is done any more', () => {
    const desk = silentTurn().wait(40_000);
    expect(desk.log.at(-1)?.action.step).toBe('end');
    const before = desk.log.length;
    desk.caller().wait(20_000).caller().wait(40_000);
    expect(desk.log).toHaveLength(before);
  });

  test('are not taken while the call has no connection', () => {
    const desk = silentTurn().wait(2_000);
    desk.doctor.sessionLost();
    const before = desk.log.length;
    expect(desk.wait(60_000).log).toHaveLength(before);
    desk.doctor.sessionReady({ resumed: true }, desk.nowMs);
    desk.wait(3_000);
    // The first nudge went to a connection that is no more.
    expect(desk.log.at(-1)?.action.step).toBe('nudge');
  });

  test('do not nudge into the words of the caller, or of a clip', () => {
    const afterMs = { ...DEFAULT_STALL_POLICY.afterMs, filler: null };
    const desk = new Desk({ afterMs, callerQuietMs: 3_000 })
      .greeted()
      .caller()
      .wait(100)
      .complete('RESPONSE_REJECTED');
    desk.wait(2_000);
    expect(withoutFillers(desk)).toEqual(['wait']);
    expect(withoutFillers(desk.plays(3_000).wait(2_900))).toEqual(['wait']);
    expect(withoutFillers(desk.wait(200))).toEqual(['wait', 'nudge']);
  });

  test('wait for the answer to newer words, and go on where they were when that does not come either', () => {
    const desk = silentTurn().wait(6_000).caller(500).wait(3_300);
    expect(withoutFillers(desk)).toEqual(['wait', 'nudge']);
    expect(withoutFillers(desk.wait(500)).at(-1)).toBe('rotate');
  });

  test('that a bot does without are left out, and so are signs that it does not watch for', () => {
    const afterMs = { ...DEFAULT_STALL_POLICY.afterMs, filler: null, nudge: null, fresh: null };
    expect(
      silentTurn({ afterMs })
        .wait(60_000)
        .log.map(({ action }) => action.step),
    ).toEqual(['wait', 'rotate', 'end']);
    expect(silentTurn({ signs: [] }).wait(60_000).log).toEqual([]);
    expect(new Desk({ signs: [] }).greeted().text('and').audio(500).wait(60_000).log).toEqual([]);
  });

  test('take no more connections in a call than they may, whatever happens in it', () => {
    const desk = new Desk({ maxConnections: 5 }).greeted();
    for (let i = 0; i < 10; i++) {
      desk.caller().wait(600).text('At nine.').complete().wait(20_000).says('At nine.').wait(2_000);
    }
    const made = desk.log.filter(({ action }) => ['rotate', 'manual', 'fresh'].includes(action.step));
    expect(made).toHaveLength(5);
  });
});

describe('silence that may be meant', () => {
  test('after one utterance leads to a nudge, and then to nothing, for as long as the caller is silent', () => {
    const desk = new Desk().greeted().caller().wait(600_000);
    expect(withoutFillers(desk)).toEqual(['wait', 'nudge']);
    expect(desk.log.at(-1)!.atMs - desk.markMs).toBeLessThan(20_000);
  });

  test('leads on with every utterance in a row: a new connection, a fresh session, the end', () => {
    const desk = new Desk().greeted();
    const furthest: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      desk.caller().wait(40_000);
      furthest.push(withoutFillers(desk).at(-1));
    }
    expect(furthest).toEqual(['nudge', 'rotate', 'fresh', 'end']);
  });

  test('leads as far for somebody who asks again and again, without ever being silent for long', () => {
    const desk = new Desk().greeted();
    for (let i = 0; i < 12 && withoutFillers(desk).at(-1) !== 'end'; i++) desk.caller().wait(4_000);
    const order = withoutFillers(desk).filter((step) => ['rotate', 'manual', 'fresh', 'end'].includes(step));
    expect(order).toEqual(['rotate', 'manual', 'fresh', 'end']);
    expect(desk.nowMs).toBeLessThan(75_000);
  });

  test('is counted also for somebody who does not even wait until it is certain', () => {
    const desk = new Desk().greeted();
    for (let i = 0; i < 40; i++) desk.caller().wait(2_200);
    expect(withoutFillers(desk).at(-1)).toBe('end');
  });

  test('is forgotten as soon as the model answers', () => {
    const desk = new Desk().greeted();
    for (let i = 0; i < 20; i++) desk.caller().wait(9_000).caller().wait(1_200).says('Yes?', 500).wait(1_000);
    expect(new Set(withoutFillers(desk))).toEqual(new Set(['wait', 'nudge']));
  });

  test('never ends a call of which three utterances in a row were not answered', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 400, max: 4_000 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 500, max: 120_000 }), { minLength: 3, maxLength: 3 }),
        (utterances, pauses) => {
          const desk = new Desk().greeted();
          for (const [i, ms] of utterances.entries()) desk.caller(ms).wait(pauses[i]!);
          desk.wait(300_000);
          expect(withoutFillers(desk)).not.toContain('end');
        },
      ),
      { numRuns: 40, seed: 7 },
    );
  });
});

describe('time', () => {
  test('in which the process stood still is not the silence of the model', () => {
    const doctor = new StallDoctor();
    doctor.sessionReady({ resumed: false }, 0);
    doctor.tick(0, 0);
    doctor.utteranceStarted();
    doctor.tick(1_000, 0);
    doctor.utteranceEnded({ durationMs: 1_000, lastSpeechAtMs: 900 }, 1_300);
    for (const nowMs of [1_320, 4_000, 6_500, 9_000, 11_500]) expect(doctor.tick(nowMs, 0)).toBeNull();
  });

  test('passes alike whether ticks come every 20 ms or every 100 ms', () => {
    const tick = (everyMs: number) => {
      const doctor = new StallDoctor();
      doctor.sessionReady({ resumed: false }, 0);
      doctor.tick(0, 0);
      doctor.utteranceStarted();
      doctor.utteranceEnded({ durationMs: 900, lastSpeechAtMs: 0 }, 0);
      const found: { what: string; atMs: number }[] = [];
      for (let nowMs = everyMs; nowMs <= 30_000; nowMs += everyMs) {
        const action = doctor.tick(nowMs, 0);
        if (action !== null) found.push({ what: `${action.sign} ${action.step}`, atMs: nowMs });
      }
      return found;
    };
    const often = tick(20);
    const seldom = tick(100);
    expect(seldom.map(({ what }) => what)).toEqual(often.map(({ what }) => what));
    // One tick to notice that an answer is missed, one for the step.
    for (const [i, { atMs }] of seldom.entries())
      expect(Math.abs(atMs - often[i]!.atMs)).toBeLessThanOrEqual(200);
  });
});

/** Anything that an owner may report, in any order, at any time. */
const fact = fc.oneof(
  fc.record({ type: fc.constant('caller'), ms: fc.integer({ min: 60, max: 3_000 }) }),
  fc.record({ type: fc.constant('audio'), ms: fc.integer({ min: 1, max: 6_000 }), loud: fc.boolean() }),
  fc.record({ type: fc.constant('text'), text: fc.constantFrom('At nine.', 'we open', ' ', NOISELESS, '…') }),
  fc.record({
    type: fc.constantFrom(
      ...(['dropped', 'generated', 'complete', 'rejected', 'more', 'waiting', 'interrupted'] as const),
      ...(['transcribed', 'keys', 'note', 'tools', 'tools-done', 'lost', 'resumed', 'fresh'] as const),
    ),
  }),
);
type Fact = typeof fact extends fc.Arbitrary<infer T> ? T : never;

function report(desk: Desk, one: Fact): void {
  const { doctor, nowMs } = desk;
  switch (one.type) {
    case 'caller':
      desk.caller((one as { ms: number }).ms);
      break;
    case 'audio': {
      const { ms, loud } = one as { ms: number; loud: boolean };
      desk.audio(ms, loud ? LOUD : WHISPER);
      break;
    }
    case 'text':
      desk.text((one as { text: string }).text);
      break;
    case 'dropped':
      doctor.modelAudioDropped(nowMs);
      break;
    case 'generated':
      desk.generated();
      break;
    case 'complete':
      desk.complete();
      break;
    case 'rejected':
      desk.complete('RESPONSE_REJECTED');
      break;
    case 'more':
      desk.complete(null, true);
      break;
    case 'waiting':
      doctor.waitingForInput();
      break;
    case 'interrupted':
      desk.interrupted();
      break;
    case 'transcribed':
      doctor.callerTranscribed('yes', nowMs);
      break;
    case 'keys':
    case 'note':
      doctor.textSent(one.type === 'keys', nowMs);
      break;
    case 'tools':
    case 'tools-done':
      doctor.toolsOpen(one.type === 'tools' ? 1 : 0, nowMs);
      if (one.type === 'tools-done') doctor.toolAnswered(nowMs);
      break;
    case 'lost':
      doctor.sessionLost();
      break;
    default:
      doctor.sessionReady({ resumed: one.type === 'resumed' }, nowMs);
  }
}

describe('whatever is reported', () => {
  const script = fc.array(fc.tuple(fact, fc.integer({ min: 0, max: 9_000 })), { maxLength: 60, size: 'max' });

  test('the rules of the steps hold', () => {
    fc.assert(
      fc.property(script, (facts) => {
        const desk = new Desk({ maxConnections: 4 });
        const quietSince = { ms: 0 };
        let before = 0;
        for (const [one, ms] of facts) {
          report(desk, one);
          if (one.type === 'caller') quietSince.ms = desk.markMs;
          desk.wait(ms);
          for (const { action, atMs } of desk.log.slice(before)) {
            expect(STALL_SIGNS).toContain(action.sign);
            expect(STALL_STEPS).toContain(action.step);
            // A clip that the desk has just begun is no word of the bot's that was interrupted.
            if (action.step === 'nudge' && atMs > quietSince.ms) {
              expect(atMs - quietSince.ms).toBeGreaterThanOrEqual(1_000);
            }
          }
          before = desk.log.length;
        }
        const fillers = desk.log.filter(({ action }) => action.step === 'filler').map(({ atMs }) => atMs);
        for (const [i, atMs] of fillers.slice(1).entries()) {
          expect(atMs - fillers[i]!).toBeGreaterThanOrEqual(6_000);
        }
        const steps = desk.log.map(({ action }) => action.step);
        expect(
          steps.filter((step) => ['rotate', 'manual', 'fresh'].includes(step)).length,
        ).toBeLessThanOrEqual(4);
        expect(steps.indexOf('end')).toBe(steps.includes('end') ? steps.length - 1 : -1);
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  test('a caller who is answered from then on hears no more of it', () => {
    fc.assert(
      fc.property(script, (facts) => {
        const desk = new Desk();
        for (const [one, ms] of facts) {
          report(desk, one);
          desk.wait(ms);
        }
        if (desk.log.at(-1)?.action.step === 'end') return;
        desk.doctor.sessionReady({ resumed: false }, desk.nowMs);
        desk.doctor.toolsOpen(0, desk.nowMs);
        desk.wait(desk.unplayedMs).says('We open at nine.').wait(3_000);
        const before = desk.log.length;
        for (let i = 0; i < 3; i++) desk.caller().wait(1_000).says('We open at nine.').wait(9_000);
        expect(desk.log.slice(before)).toEqual([]);
      }),
      { numRuns: 150, seed: 12 },
    );
  });

  test('a silence that lasts is left alone in the end, or ended: nothing goes on for ever', () => {
    fc.assert(
      fc.property(script, (facts) => {
        const desk = new Desk();
        for (const [one, ms] of facts) {
          report(desk, one);
          desk.wait(ms);
        }
        desk.wait(desk.unplayedMs + 120_000);
        const before = desk.log.length;
        desk.wait(300_000);
        expect(desk.log.slice(before)).toEqual([]);
      }),
      { numRuns: 60, seed: 13 },
    );
  });
});

test('nothing that was said stays with the doctor', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heldBytes = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heldBytes();
  const desks = Array.from({ length: 200 }, (_, call) => {
    const desk = new Desk();
    for (let turn = 0; turn < 3; turn++) {
      desk
        .text(`${call}.${turn} ${'word '.repeat(40_000)}`)
        .audio(20)
        .wait(TICK_MS);
      desk.doctor.callerTranscribed(`${turn}.${call} ${'word '.repeat(40_000)}`, desk.nowMs);
      desk.complete().wait(1_200);
    }
    return desk;
  });
  // Of each call one text alone would be 200 kB.
  expect((heldBytes() - before) / desks.length).toBeLessThan(40_000);
});

test('every sign has words for the model, which are not taken for the words of the caller', () => {
  for (const sign of STALL_SIGNS)
    expect(nudgeFor(sign)).toMatch(/^\[Note from the telephone system\] \w.{10,}\.$/);
});

describe('the settings', () => {
  test('without any are the doctor’s own', () => {
    const settings: StallPolicy = stallSchema.parse(undefined);
    expect(settings).toEqual(DEFAULT_STALL_POLICY);
  });

  test('name every sign and step that there is', () => {
    const signs: StallSign[] = ['freeze'];
    expect(stallSchema.parse({ signs, afterMs: { end: null } })).toEqual({
      ...DEFAULT_STALL_POLICY,
      signs,
      afterMs: { ...DEFAULT_STALL_POLICY.afterMs, end: null },
    });
    expect(stallSchema.safeParse({ signs: ['boredom'] }).success).toBe(false);
    expect(stallSchema.safeParse({ afterMs: { shout: 1 } }).success).toBe(false);
  });

  test('keep the order of the steps', () => {
    const found = stallSchema.safeParse({ afterMs: { rotate: 20_000 } });
    expect(found.error?.issues.map(({ message }) => message)).toEqual([
      'found 12000, wanted 20000 or more, as "rotate" comes before it',
    ]);
    expect(stallSchema.safeParse({ afterMs: { rotate: 20_000, manual: null, fresh: null } }).success).toBe(
      true,
    );
  });
});

describe('the loudness of a turn', () => {
  const tone = (ms: number, amplitude: number): Uint8Array => {
    const samples = Int16Array.from({ length: ms * 24 }, (_, i) => Math.round(amplitude * Math.sin(i / 8)));
    return new Uint8Array(samples.buffer);
  };

  test('is that of its loudest 100 ms, however its bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 30 }),
        (cuts, amplitude) => {
          const bytes = Buffer.concat([tone(1_000, 1), tone(300, amplitude), tone(500, 1)]);
          const loudness = new TurnLoudness(-20);
          let at = 0;
          for (let i = 0; at < bytes.length; i++) {
            const size = cuts[i % cuts.length]!;
            loudness.push(bytes.subarray(at, at + size), 24_000);
            at += size;
          }
          // A sine is 3 dB below its peak.
          const wanted = 20 * Math.log10(Math.max(amplitude, 1) / 32_768) - 3;
          expect(Math.abs(loudness.dbov - wanted)).toBeLessThan(1.6);
        },
      ),
      { numRuns: 40, seed: 5 },
    );
  });

  test('is known with the first words, and not raised by a click', () => {
    const loudness = new TurnLoudness(-55);
    expect(loudness.push(Uint8Array.of(0xff, 0x7f), 24_000)).toBe(-127);
    expect(loudness.push(tone(20, 8_000), 24_000)).toBeGreaterThan(-20);
    loudness.reset();
    expect(loudness.dbov).toBe(-127);
  });
});

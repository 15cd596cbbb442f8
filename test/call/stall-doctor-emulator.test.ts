/** The doctor against the emulated service: what it says of each fault that the service can have, and of none. */
import { describe, expect, test } from 'vitest';
import {
  type BehaviourCase,
  type BehaviourId,
  behavioursFor,
  everyValue,
} from '../../src/gemini/behaviours.ts';
import { FAMILY_IDS } from '../../src/gemini/families.ts';
import { tonePhrase } from '../../src/lab/clip.ts';
import type { FaultFile } from '../../src/lab/emulator/faults/catalogue.ts';
import { makeReply, makeScenario, type Scenario } from '../../src/lab/scenario.ts';
import { StalledCall } from './stall-emulator.ts';

const reply = (name: string, ms: number) =>
  makeReply({
    hears: `Now ${name}, please.`,
    text: `Here is what you asked for, and that is ${name}, with all that belongs to it.`,
    clip: tonePhrase(name, ms),
  });

const scenario = (model: Partial<Scenario['model']> = {}): Scenario =>
  makeScenario({
    model: { setupDelayMs: 100, ...model },
    greeting: makeReply({ clip: tonePhrase('hello', 1_500), text: 'Hello, and welcome to the line.' }),
    replies: [
      reply('one', 4_000),
      { ...reply('two', 3_500), calls: [{ name: 'look_up', args: {}, when: 'before', followUp: null }] },
      reply('three', 4_000),
    ],
    otherwise: [reply('more', 3_000)],
  });

const asked = (faults: FaultFile[], model: Partial<Scenario['model']> = {}): StalledCall =>
  new StalledCall(scenario(model), faults).say('begin').silence(4_000).speak(900);

describe('a service without a fault', () => {
  /** Greeting, an answer that is barged into, a tool, a cough, a pause. */
  const wholeCall = ({ family, behaviours }: Pick<BehaviourCase, 'family' | 'behaviours'>): StalledCall =>
    new StalledCall(scenario(), [], { family, behaviours })
      .say('begin')
      .silence(4_000)
      .speak(900)
      .silence(3_500)
      .speak(800)
      .silence(7_000)
      .speak(200)
      .silence(9_000)
      .speak(900)
      .silence(9_000);

  test.each(FAMILY_IDS)('is never blamed: %s, as it is thought to be', (family) => {
    expect(wholeCall({ family, behaviours: behavioursFor(family) }).taken).toEqual([]);
  });

  /** What changes the order of events around a turn. A value of another row changes nothing here. */
  const rows: readonly BehaviourId[] = [
    'turnCompleteWaitsForPlayback',
    'interruptsAssumedPlayback',
    'interruptedMayFollowTurnComplete',
    'turnCompleteFollowsInterrupted',
    'staleChunksAfterInterrupt',
    'interruptedSharesMessage',
    'inputTranscriptOrder',
    'outputTranscriptOrder',
    'generationCompleteAfterToolCall',
    'blockingCallCancelledBySpeech',
    'updateWhileGenerating',
  ];
  const cases = [...everyValue(['2.5', '3.8'])].filter(({ id }) => rows.includes(id));
  test.each(cases.map((one) => [one.family, one.id, one.value, one] as const))(
    'is never blamed: %s, %s = %s',
    (_family, _id, _value, one) => {
      const call = wholeCall(one);
      expect(call.line.closed).toBeNull();
      expect(call.heardAtMs.length).toBeGreaterThan(3);
      expect(call.taken).toEqual([]);
    },
  );

  test.each(['burst', 'realtime', 1, 3] as const)('is never blamed when it sends at the pace %s', (pace) => {
    const call = asked([], { pace }).silence(9_000).speak(900).silence(9_000);
    expect(call.taken).toEqual([]);
  });
});

describe('a fault of the service', () => {
  test('empty-turn is seen, and cured by the nudge', () => {
    const call = asked([{ at: 'turn:2', fault: 'empty-turn' }]).silence(9_000);
    expect(call.signs).toEqual(['empty-turn']);
    expect(call.steps('empty-turn')).toEqual(['wait', 'nudge']);
    expect(call.heardAtMs).toHaveLength(2);
    expect(call.doctor.sign).toBeNull();
  });

  test('empty-turn with a reason is a silent turn', () => {
    const call = asked([{ at: 'turn:2', fault: 'empty-turn', reason: 'RESPONSE_REJECTED' }]).silence(9_000);
    expect(call.signs).toEqual(['silent-turn']);
    expect(call.heardAtMs).toHaveLength(2);
  });

  test('empty-turn always leads to the end, and not before the fourth utterance', () => {
    const call = asked([{ at: 'turn:2', fault: 'empty-turn', times: 'always' }]);
    for (let i = 0; i < 3; i++) {
      call.silence(9_000);
      expect(call.taken.map(({ step }) => step)).not.toContain('end');
      call.speak(900);
    }
    expect(call.silence(60_000).taken.at(-1)?.step).toBe('end');
  });

  test('near-silent is seen, and cured by the nudge', () => {
    const call = asked([{ at: 'turn:2', fault: 'near-silent' }]).silence(12_000);
    expect(call.signs).toEqual(['near-silent-audio']);
    expect(call.steps('near-silent-audio')).toEqual(['wait', 'nudge']);
    expect(call.doctor.sign).toBeNull();
  });

  test('cut-sentence is seen, and cured by the nudge', () => {
    const call = asked([{ at: 'turn:2', fault: 'cut-sentence', afterMs: 1_500 }]).silence(12_000);
    expect(call.signs).toEqual(['cut-sentence']);
    expect(call.steps('cut-sentence')).toEqual(['wait', 'nudge']);
    expect(call.heardAtMs).toHaveLength(3);
  });

  test('no-turn-complete is noted once, and nothing is done', () => {
    const call = asked([{ at: 'turn:2', fault: 'no-turn-complete' }]).silence(60_000);
    expect(call.taken.map(({ sign, step }) => `${sign} ${step}`)).toEqual(['no-turn-complete wait']);
  });

  test('a turn that is completed a little late is not even noted', () => {
    const call = asked([{ at: 'turn:2', fault: 'no-turn-complete', lateByMs: 4_000 }]).silence(30_000);
    expect(call.taken).toEqual([]);
  });

  test.each([
    ['stops', 'phantom-interrupted'],
    ['completes', 'phantom-interrupted'],
  ] as const)('phantom-interrupted where the model %s is seen, and cured by the nudge', (model, sign) => {
    const faults: FaultFile[] = [{ at: 'turn:2', fault: 'phantom-interrupted', afterMs: 1_200, model }];
    const call = asked(faults, { pace: 1 }).silence(12_000);
    expect(call.signs).toEqual([sign]);
    expect(call.steps(sign)).toEqual(['wait', 'nudge']);
    expect(call.heardAtMs.length).toBeGreaterThan(2);
  });

  test('phantom-interrupted where the model goes on needs nothing', () => {
    const call = asked([{ at: 'turn:2', fault: 'phantom-interrupted', afterMs: 1_200 }], { pace: 1 });
    expect(call.silence(20_000).taken).toEqual([]);
  });

  test.each([
    [4_000, ['wait']],
    [20_000, ['wait', 'rotate', 'nudge']],
  ])('a stall of %i ms in mid answer is a freeze', (forMs, steps) => {
    const call = asked([{ at: 'turn:2', fault: 'stall', afterMs: 500, forMs }], { pace: 1 }).silence(30_000);
    expect(call.signs).toEqual(['freeze']);
    expect(call.steps('freeze')).toEqual(steps);
    expect(call.doctor.sign).toBeNull();
  });

  test('an answer that is 2 s late is covered by a filler, and by nothing else', () => {
    const call = asked([{ at: 'turn:2', fault: 'slow-answer', delayMs: 2_000 }]).silence(9_000);
    expect(call.taken.map(({ sign, step }) => `${sign} ${step}`)).toEqual(['late-answer filler']);
  });

  test.each([false, true])('an utterance that is swallowed is unanswered (transcribed: %s)', (transcribe) => {
    const call = asked([{ at: 'utterance', fault: 'swallow', transcribe }]).silence(9_000);
    expect(call.steps('unanswered')).toEqual(['wait', 'nudge']);
    expect(call.heardAtMs).toHaveLength(2);
  });

  test('a poisoned session is deaf-mute, and cured by a fresh one', () => {
    const call = asked([{ at: 'resume', fault: 'poisoned' }]).silence(6_000);
    expect(call.taken).toEqual([]);
    call.rotate().silence(500).speak(900).silence(25_000);
    expect(call.signs).toContain('deaf-mute');
    expect(call.taken.map(({ step }) => step)).toContain('fresh');
    // The nudge on the fresh connection made it speak.
    expect(call.heardAtMs).toHaveLength(3);
    expect(call.doctor.sign).toBeNull();
  });

  test.each<FaultFile['fault']>([
    'slow-audio',
    'odd-chunks',
    'doubled-transcripts',
    'merged-fields',
    'unknown-fields',
    'text-before-audio',
    'empty-parts',
  ])('%s is none that the caller hears: nothing is done', (fault) => {
    expect(asked([{ at: 'turn:2', fault } as FaultFile]).silence(15_000).taken).toEqual([]);
  });
});

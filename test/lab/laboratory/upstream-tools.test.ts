/** Tools that a model waits for, on whole calls: U3, U23, U24 and U25 of the faults on Gemini's side. */
import { describe, expect, it } from 'vitest';
import type { ToolAnswer } from '../../../src/call/tool-answer.ts';
import type { Clock } from '../../../src/clock.ts';
import type { FaultFile } from '../../../src/lab/emulator/faults/catalogue.ts';
import { answer, type LabTools } from '../../../src/lab/laboratory/plan.ts';
import {
  type LabCallOptions,
  type LabCallResult,
  runLabCalls,
} from '../../../src/lab/laboratory/run-lab-call.ts';
import { type Act, talk, wait } from '../../../src/lab/laboratory/story.ts';

/** The second question needs to be looked up. */
const TALK: readonly Act[] = [talk(2_000), talk(2_000), wait(16_000), talk(1_500), wait(8_000)];

/** A tool that does what it is told; `runs` counts how often it did. */
function toolThat(run: (clock: Clock) => Promise<ToolAnswer>): {
  readonly tools: LabTools;
  readonly runs: () => number;
} {
  let runs = 0;
  const call = { name: 'look_up', args: { order: 42 }, when: 'before', followUp: answer('found') } as const;
  const tools: LabTools = {
    // Asked for again when the session has lost that it was called.
    calls: { 1: [call] },
    declared: [{ name: 'look_up', description: 'Looks an order up.', parameters: null }],
    runner: (clock) => ({
      has: (name) => name === 'look_up',
      run: () => {
        runs += 1;
        return run(clock);
      },
    }),
  };
  return { tools, runs: () => runs };
}

const later = (clock: Clock, ms: number, response: ToolAnswer['response']): Promise<ToolAnswer> =>
  new Promise((resolve) => {
    clock.setTimer(ms, () => resolve({ response }));
  });

/** 3.1 waits for its tools; a barge-in breaks that off. */
const play = (
  tools: LabTools,
  faults: readonly FaultFile[] = [],
  options: Partial<LabCallOptions> = {},
): Promise<LabCallResult> => runLabCalls({ acts: TALK, family: '3.1', tools, faults, ...options });

/** What the model got in answer to its calls. */
const responses = ({ call }: LabCallResult): readonly string[] =>
  call.services.flatMap(({ sessions }) =>
    sessions.flatMap(({ toolResponses }) => toolResponses.map(({ response }) => JSON.stringify(response))),
  );

describe('U3 goAway while a tool is at work', () => {
  it('the tool is waited for, where there is time', async () => {
    const { tools, runs } = toolThat((clock) => later(clock, 4_000, { status: 'ready' }));
    const result = await play(tools, [{ at: 'tool', fault: 'go-away', timeLeftMs: 30_000 }]);
    const [answered] = result.of('tool-answered');
    expect(result.of('rotated')[0]).toMatchObject({ planned: true });
    expect(result.of('rotated')[0]!.atMs).toBeGreaterThan(answered!.atMs);
    expect(runs()).toBe(1);
    expect(result.broken).toEqual([]);
  });

  it('where there is none, the model gets the result on the next connection, and the tool has run once', async () => {
    const { tools, runs } = toolThat((clock) => later(clock, 7_000, { status: 'ready' }));
    const result = await play(tools, [{ at: 'tool', fault: 'go-away', timeLeftMs: 4_000 }]);
    const [rotated] = result.of('rotated');
    expect(rotated).toMatchObject({ planned: false, how: 'resumed' });
    const answered = result.of('tool-answered');
    expect(answered).toHaveLength(1);
    expect(answered[0]!.atMs).toBeGreaterThan(rotated!.atMs);
    expect(runs()).toBe(1);
    expect(result.broken).toEqual([]);
  });
});

describe('U3 goAway with too little time for a tool that the model need not wait for', () => {
  it.each([
    { handleWhileCallWaits: 'none', ways: ['text'] },
    { handleWhileCallWaits: 'keeps', ways: ['response'] },
    { handleWhileCallWaits: 'forgets', ways: ['response', 'text'] },
  ] as const)(
    'the tool runs once, and the model speaks about what it found: handles meanwhile $handleWhileCallWaits',
    async ({ handleWhileCallWaits, ways }) => {
      const { tools, runs } = toolThat((clock) => later(clock, 7_000, { status: 'ready' }));
      const result = await play(tools, [{ at: 'tool', fault: 'go-away', timeLeftMs: 6_500 }], {
        acts: TALK.slice(0, 3),
        family: '3.8',
        model: { behaviours: { handleWhileCallWaits } },
      });
      expect(result.of('rotated')).toMatchObject([{ planned: false, how: 'resumed' }]);
      expect(runs()).toBe(1);
      const answered = result.of('tool-answered');
      expect(answered.map(({ by }) => by)).toEqual(ways);
      const last = answered.at(-1)!;
      const spoke = result.of('turn-audible').find(({ atMs }) => atMs > last.atMs);
      expect(spoke!.atMs - last.atMs).toBeLessThan(2_500);
      expect(result.of('model-told').map(({ what }) => what)).not.toContain('nudge');
      expect(result.broken).toEqual([]);
    },
  );
});

describe('U23 a tool that hangs', () => {
  it('the model is told so within the deadline, and the caller hears that it takes a moment', async () => {
    const { tools } = toolThat(() => new Promise(() => {}));
    const result = await play(tools);
    const [called] = result.of('tool-called');
    const [answered] = result.of('tool-answered');
    expect(answered).toMatchObject({ ok: false, by: 'response' });
    expect(answered!.atMs - called!.atMs).toBeLessThanOrEqual(8_000);
    expect(responses(result).join()).toMatch(/did not answer|no answer|time/i);
    const fillers = result.of('clip-played').filter(({ isFiller }) => isFiller);
    expect(fillers[0]!.atMs).toBeLessThan(answered!.atMs);
    expect(result.broken).toEqual([]);
  });
});

it('a turn in which a tool was called is no empty one: a model that need not wait for it is left alone', async () => {
  const { tools, runs } = toolThat((clock) => later(clock, 5_000, { status: 'ready' }));
  const result = await play(tools, [], { family: '3.8' });
  expect(result.of('stall').map(({ sign }) => sign)).not.toContain('empty-turn');
  expect(result.of('model-told')).toEqual([]);
  expect(result.of('tool-called')).toHaveLength(1);
  expect(runs()).toBe(1);
  expect(result.broken).toEqual([]);
});

describe('U24 a tool that answers when nobody waits any more', () => {
  it('the caller speaks, the model takes its call back: the result is noted, and not sent', async () => {
    const { tools, runs } = toolThat((clock) => later(clock, 6_000, { status: 'booked' }));
    const result = await play(tools, [], {
      acts: [talk(2_000), talk(2_000), { ...talk(1_500), cue: 'at-once', afterMs: 3_000 }, wait(12_000)],
      model: { behaviours: { blockingCallCancelledBySpeech: true } },
    });
    expect(result.of('tools-cancelled')).toHaveLength(1);
    expect(result.of('tool-answered')).toEqual([]);
    expect(responses(result)).toEqual([]);
    // It has booked all the same, and whoever reads the record must be able to see that.
    expect(result.of('tool-result-unused')).toMatchObject([{ why: 'cancelled', sideEffect: true }]);
    expect(runs()).toBe(1);
    expect(result.broken).toEqual([]);
  });

  it('a cancellation that comes behind the answer changes nothing', async () => {
    const { tools } = toolThat((clock) => later(clock, 1_000, { status: 'ready' }));
    const result = await play(tools, [{ at: 'tool', fault: 'late-cancellation' }]);
    expect(result.of('tool-answered')).toHaveLength(1);
    expect(result.broken).toEqual([]);
  });
});

describe('U25 a tool that returns nonsense', () => {
  it('five megabytes: the model gets the beginning, and is told that it is one', async () => {
    const { tools } = toolThat((clock) => later(clock, 500, { page: 'x'.repeat(5 * 1024 * 1024) }));
    const result = await play(tools);
    const [response] = responses(result);
    expect(response!.length).toBeLessThanOrEqual(32_768);
    expect(response).toContain('"truncated":true');
    expect(result.broken).toEqual([]);
  });

  it.each([
    ['nothing', () => Promise.resolve(undefined as never)],
    ['what is no JSON', () => Promise.resolve({ response: { at: 1n } } as never)],
    ['an error', () => Promise.reject(new Error('500 Internal Server Error'))],
  ] as const)('%s: the model is told in words, and the call goes on', async (_what, run) => {
    const { tools } = toolThat(run);
    const result = await play(tools);
    expect(result.of('tool-answered')).toMatchObject([{ ok: false, by: 'response' }]);
    expect(responses(result)[0]).toContain('"error"');
    expect(result.of('bug')).toEqual([]);
    expect(result.broken).toEqual([]);
    expect(result.call.ended).toMatchObject({ who: 'caller', how: 'completed' });
  });
});

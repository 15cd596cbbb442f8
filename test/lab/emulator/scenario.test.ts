import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeWav } from '../../../src/audio/wav.ts';
import { OffhookError } from '../../../src/errors.ts';
import { clipMs } from '../../../src/lab/clip.ts';
import { defaultScenario, loadScenario, parseScenario } from '../../../src/lab/scenario.ts';

const directory = mkdtempSync(join(tmpdir(), 'offhook-scenario-'));
afterAll(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string | Buffer): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const problemsOf = (act: () => unknown): string[] => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(OffhookError);
    expect((error as OffhookError).code).toBe('ERR_SCENARIO');
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
};

describe('a scenario file', () => {
  it('is read with its recordings, at 24 kHz whatever they were made at', () => {
    write('caller.wav', writeWav(8000, [new Int16Array(800)]));
    write('low.wav', writeWav(8000, [new Int16Array(4000).fill(1000)]));
    const path = write(
      'scenario.yaml',
      `description: One question.
caller: { wav: caller.wav, from: '+15550100001', to: '+15550100002', dtmf: [{ atMs: 5000, digit: '5' }] }
model: { seed: 4, pace: burst, behaviours: { staleChunksAfterInterrupt: 3 } }
greeting: { say: low.wav, text: Hello }
replies:
  - hears: What?
    text: That.
    delayMs: 900
    tools: [{ name: hang_up, args: { reason: done } }]
onText: [{ match: '5', text: Five. }]
otherwise: { text: Sorry? }
expect: { bargeIns: 0, endedBy: bot }
`,
    );
    const scenario = loadScenario(path);
    expect(clipMs(scenario.greeting!.clip!)).toBe(500);
    expect(scenario.caller).toMatchObject({
      wavPath: join(directory, 'caller.wav'),
      dtmf: [{ atMs: 5000, digit: '5' }],
    });
    expect(scenario.model).toMatchObject({
      seed: 4,
      pace: 'burst',
      firstAudioMs: 700,
      interruptDelayMs: 200,
    });
    expect(scenario.model.behaviours).toEqual({ staleChunksAfterInterrupt: 3 });
    expect(scenario.replies[0]).toMatchObject({ hears: 'What?', delayMs: 900 });
    expect(scenario.replies[0]!.calls).toEqual([
      { name: 'hang_up', args: { reason: 'done' }, when: 'after', followUp: null },
    ]);
    expect(scenario.replies[0]!.clip!.samples.length).toBeGreaterThan(0);
    expect(scenario.expect).toEqual({ bargeIns: 0, endedBy: 'bot' });
  });

  it('that is wrong has all its problems listed at once, with their keys', () => {
    write('broken.wav', 'no wav');
    const problems = problemsOf(() =>
      parseScenario(
        {
          caller: { wav: 'nobody.wav' },
          model: { pace: 'fast', chunkBytes: [3], behaviours: { nonsense: 1 } },
          greeting: { say: 'missing.wav', volume: 11 },
          replies: [{ text: 'a' }, { say: 'broken.wav', tools: [{ args: {} }] }],
        },
        { name: 'wrong', directory },
      ),
    );
    const keys = problems.map((problem) => problem.trim().split(': ')[0]);
    expect(keys.sort()).toEqual([
      'caller.wav',
      'greeting',
      'greeting.say',
      'model.behaviours',
      'model.chunkBytes.0',
      'model.pace',
      'replies.1.say',
      'replies.1.tools.0.name',
    ]);
  });

  it('that is no YAML, or not there, is said so', () => {
    expect(() => loadScenario(write('bad.yaml', 'a: [1'))).toThrow(/Reading the scenario ".*bad.yaml"/);
    expect(() => loadScenario(join(directory, 'none.yaml'))).toThrow(/no such file/);
  });
});

it('every scenario of the project loads', () => {
  const calls = new URL('../../../fixtures/calls/', import.meta.url).pathname;
  const names = readdirSync(calls);
  expect(names.length).toBeGreaterThanOrEqual(4);
  for (const name of names) {
    const scenario = loadScenario(join(calls, name, 'scenario.yaml'));
    expect(scenario.caller).not.toBeNull();
  }
});

it('the default scenario greets and has answers, with recorded voices and without', () => {
  const recorded = defaultScenario();
  const hummed = defaultScenario(join(directory, 'no-such-folder'));
  for (const scenario of [recorded, hummed]) {
    expect(clipMs(scenario.greeting!.clip!)).toBeGreaterThan(500);
    expect(scenario.otherwise.length).toBeGreaterThanOrEqual(2);
    expect(scenario.otherwise.every((reply) => reply.clip !== scenario.greeting!.clip)).toBe(true);
  }
  expect(recorded.greeting!.clip!.name).toContain('greeting');
});

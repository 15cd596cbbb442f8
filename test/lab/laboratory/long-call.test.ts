import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readClips } from '../../../src/call/clips.ts';
import type { ConnectLive } from '../../../src/gemini/live-session.ts';
import { loadCast } from '../../../src/lab/long-call/cast.ts';
import { type Findings, findingsOf } from '../../../src/lab/long-call/findings.ts';
import { longCallPage } from '../../../src/lab/long-call/page.ts';
import { type LongCall, playLongCall } from '../../../src/lab/long-call/play.ts';
import { HALF_HOUR, type PlannedBlow } from '../../../src/lab/long-call/plot.ts';
import { longCallRows } from '../../../src/lab/long-call/rows.ts';
import { readGatewayView } from '../../../src/lab/report/gateway-view.ts';
import { type Measures, measureCall } from '../../../src/lab/report/measure.ts';
import { connectionsThat, once } from './sabotage.ts';

const cast = loadCast('fixtures/calls');
const clips = readClips('assets/clips/en');
const botClips = [cast.greeting, ...[...cast.lines.values()].map(({ reply }) => reply)].flatMap(({ clip }) =>
  clip === null ? [] : [{ name: basename(clip.name, '.wav'), samples: clip.samples }],
);

/** Every blow in the first minute and a half, in the order in which the topics come. */
const AT_ONCE: readonly PlannedBlow[] = [
  { afterMs: 0, blow: 'notice' },
  { afterMs: 0, blow: 'interrupted' },
  { afterMs: 0, blow: 'tool' },
  { afterMs: 0, blow: 'broken' },
];

interface Played {
  readonly call: LongCall;
  readonly measures: Measures;
  readonly findings: Findings;
}

async function play(
  lastsMs: number,
  blows: readonly PlannedBlow[],
  sabotage?: (connectLive: ConnectLive) => ConnectLive,
): Promise<Played> {
  const call = await playLongCall({
    cast,
    clips,
    lastsMs,
    blows,
    ...(sabotage === undefined ? {} : { sabotage }),
  });
  const measures = measureCall(call.run, {
    gateway: readGatewayView(call.journal),
    // To recognise them takes most of the time, and only greetings are counted by it.
    clips: sabotage === undefined ? botClips : [],
  });
  return { call, measures, findings: findingsOf(call, measures, 'greeting', blows) };
}

const loud = (samples: Int16Array): boolean => samples.some((sample) => Math.abs(sample) > 2_000);

describe('the long call', () => {
  it('keeps every rule under every blow, and its report names each rotation', async () => {
    const { call, measures, findings } = await play(75_000, AT_ONCE);
    expect(findings.broken).toEqual([]);
    expect(findings.rotations.map(({ quiet, cause }) => `${quiet ? 'planned' : 'forced'} ${cause}`)).toEqual([
      'planned notice',
      'forced notice',
      'forced notice',
      'forced broken',
    ]);
    const [, interrupted, tool, broken] = findings.rotations;
    expect(interrupted!.during).toContain('barge-in');
    expect(tool!.during).toContain('tool');
    expect(broken!.resentMs).toBeGreaterThan(1_000);
    // Once for the look-up, however often the model had to ask for it, and once for hanging up.
    expect(findings.tools).toMatchObject({ called: 2, answered: 2 });

    const rows = longCallRows(measures, call.run.end, findings);
    const page = longCallPage({
      title: 'A <call>',
      description: '',
      call,
      measures,
      findings,
      rows,
      transcript: [],
    });
    expect(page.match(/<g class="rotation"><title>/g)).toHaveLength(1);
    expect(page.match(/<g class="rotation forced"><title>/g)).toHaveLength(3);
    expect(page).toContain('a tool at work');
    expect(page).not.toContain('A <call>');
    expect(page).not.toContain('<script');
  });

  it('comes out the same each time', async () => {
    const options = { cast, clips, lastsMs: 20_000, blows: [] };
    const [first, second] = [await playLongCall(options), await playLongCall(options)];
    expect(second.journal.map(({ type, atMs }) => [type, atMs])).toEqual(
      first.journal.map(({ type, atMs }) => [type, atMs]),
    );
    expect(second.run.heard).toEqual(first.run.heard);
  });

  it('finds a tenth of a second of the caller’s speech that reached nobody', async () => {
    const { findings } = await play(
      15_000,
      [],
      connectionsThat((connection) => {
        const drop = once<[Int16Array]>(
          60,
          (samples) => connection.sendAudio(samples),
          () => true,
          5,
        );
        return { sendAudio: (samples) => (loud(samples) ? drop(samples) : connection.sendAudio(samples)) };
      }),
    );
    expect(findings.speech.lostSamples).toBe(5 * 320);
    expect(findings.broken.join()).toContain('reached no connection');
  });

  it('finds speech that the session heard twice', async () => {
    const { findings } = await play(
      15_000,
      [],
      connectionsThat((connection) => {
        const twice = once<[Int16Array]>(
          60,
          (samples) => connection.sendAudio(samples),
          (samples) => connection.sendAudio(samples) && connection.sendAudio(samples),
          5,
        );
        return { sendAudio: (samples) => (loud(samples) ? twice(samples) : connection.sendAudio(samples)) };
      }),
    );
    expect(findings.speech.doubledSamples).toBe(5 * 320);
    expect(findings.broken.join()).toContain('samples of speech twice');
  });

  it('finds a connection that began with a new session', async () => {
    const forgetful = (connectLive: ConnectLive): ConnectLive => {
      let connections = 0;
      return (setup, handlers, options) => {
        const { hold } = options;
        if (++connections !== 3 || hold === undefined) return connectLive(setup, handlers, options);
        const anew = async () => ({ ...(await hold()), handle: null });
        return connectLive(setup, handlers, { ...options, hold: anew });
      };
    };
    const { findings } = await play(15_000, AT_ONCE.slice(0, 1), forgetful);
    expect(findings.broken.join()).toContain('2 sessions were opened');
  });
});

it('the half hour has a quiet, a forced and a broken rotation, an interruption and a tool in one', () => {
  expect(HALF_HOUR.map(({ blow }) => blow).sort()).toEqual(['broken', 'interrupted', 'notice', 'tool']);
});

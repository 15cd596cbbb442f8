import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convertOffline } from '../../src/audio/offline.ts';
import { systemClock } from '../../src/clock.ts';
import type { CallRun } from '../../src/lab/caller/call-run.ts';
import { placeCall } from '../../src/lab/caller/twilio/place-call.ts';
import type { EmulatorRecord } from '../../src/lab/emulator/record.ts';
import { telephoneBand } from '../../src/lab/report/spectrum.ts';
import { makeReply, makeScenario } from '../../src/lab/scenario.ts';
import { botVoice, question } from '../support/call-audio.ts';
import { sequence } from '../support/call-run.ts';
import { StallWatch, until } from '../support/gateway-clock.ts';
import { startWorld } from '../support/gateway-world.ts';

const GREETING = botVoice('ready').slice(0, 24 * 1_600);
const ANSWER = botVoice('take-your-time');
/** Hears the greeting out, asks, and hears the answer out. */
const CALLER = sequence(2_400, question(), 3_600);
const ATTEMPTS = 3;
const STALL_MS = 60;
/** What the gateway says of a call that this machine was too slow for. */
const DISTURBANCES = ['underrun', 'caller-gap', 'caller-stalled', 'playout-resumed'] as const;

const stalls = new StallWatch();
afterAll(() => stalls.stop());

interface RealCall {
  readonly run: CallRun;
  readonly sessions: readonly EmulatorRecord[];
  /** Of the lines that say that it ended. */
  readonly reasons: readonly string[];
}

/** A call over HTTP and sockets in real time; made again when this machine stood still meanwhile. */
async function call(): Promise<RealCall> {
  const model = { firstAudioMs: 300, setupDelayMs: 50 };
  const world = await startWorld(
    makeScenario({
      greeting: makeReply({ clip: { name: 'greeting', samples: GREETING }, text: 'Ready.' }),
      replies: [makeReply({ clip: { name: 'answer', samples: ANSWER }, text: 'Take your time.' })],
      model,
    }),
  );
  try {
    for (let attempt = 1; ; attempt += 1) {
      const startedAtMs = systemClock.now();
      const run = await placeCall({
        clock: systemClock,
        url: world.gateway.localUrl,
        ...world.twilio,
        from: '+15550100001',
        to: '+15550100002',
        caller: CALLER,
        lingerMs: 20,
        maxMs: 15_000,
      });
      const stalled = stalls.longestSince(startedAtMs) >= STALL_MS;
      const noticed = DISTURBANCES.some((type) => world.entriesOf(run.callSid, type).length > 0);
      if (attempt < ATTEMPTS && stalled && noticed) continue;
      await until('the call over', () => world.gateway.desk.activeCalls === 0, 5_000);
      const sessions = world.emulator.sessions.slice(attempt - 1);
      await until('the model to notice', () => sessions.every(({ closed }) => closed !== null), 5_000);
      const reasons = world
        .entriesOf(run.callSid, 'call-ended')
        .map(({ reason }) => `${reason.who} ${reason.how}`);
      return { run, sessions, reasons };
    }
  } finally {
    await world.close();
  }
}

/** The telephone band of what should have come, and of what came; sample n of it is sample n * step + lag of the other. */
interface Pair {
  readonly wanted: Float64Array;
  readonly found: Float64Array;
  readonly step: number;
  readonly lag: number;
}

/** Energy of what differs over that of what was wanted, in dB. */
function differenceDb({ wanted, found, step, lag }: Pair, from = 0, to = found.length): number {
  let error = 0;
  let energy = 0;
  for (let i = from; i < Math.min(to, found.length); i += 1) {
    const sample = wanted[i * step + lag] ?? 0;
    error += (sample - found[i]!) ** 2;
    energy += sample ** 2;
  }
  return energy === 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(error / energy);
}

/** The one shift at which the two differ least. */
function align(
  wanted: Float64Array,
  found: Float64Array,
  step: number,
  lags: { from: number; to: number },
): Pair {
  let best: Pair = { wanted, found, step, lag: lags.from };
  for (let lag = lags.from, least = Number.POSITIVE_INFINITY; lag <= lags.to; lag += 1) {
    const db = differenceDb({ wanted, found, step, lag });
    if (db < least) {
      least = db;
      best = { wanted, found, step, lag };
    }
  }
  return best;
}

/** Silence that goes before a turn on a line that is uneven. */
const LONGEST_CUSHION_MS = 400;
/** Parts of a second of so much: where it is loud, what differs is far below it; a pause has nothing to compare. */
const WINDOW_MS = 100;

function worstWindowDb(pair: Pair, sampleRate: number, loudRms: number): number {
  const window = (WINDOW_MS * sampleRate) / 1_000;
  let worst = Number.NEGATIVE_INFINITY;
  for (let from = 0; from + window <= pair.found.length; from += window) {
    const energy = pair.found.subarray(from, from + window).reduce((sum, sample) => sum + sample ** 2, 0);
    if (Math.sqrt(energy / window) < loudRms) continue;
    worst = Math.max(worst, differenceDb(pair, from, from + window));
  }
  return worst;
}

describe('one call over HTTP and sockets, in real time', () => {
  let real: RealCall;
  beforeAll(async () => {
    real = await call();
  }, 60_000);

  test('is one connection to the model, and ends when the caller hangs up', () => {
    const { run, sessions, reasons } = real;
    expect(run.end).toMatchObject({ by: 'caller', how: 'hung-up' });
    expect(run.invalidMessages).toEqual([]);
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({ refusals: [], warnings: [], closed: { by: 'client', code: 1000 } });
    expect(reasons).toEqual(['caller completed']);
  });

  test('brings the model every sample that the caller sent, once, and nothing else', () => {
    const { run, sessions } = real;
    const received = sessions[0]!.audio.toSamples();
    expect(received.length).toBe(run.sent.length * 2);
    // Asked for in one piece, with a converter that knows nothing of streams.
    const wanted = telephoneBand(convertOffline(run.sent, 8_000, 16_000), 16_000);
    const pair = align(wanted, telephoneBand(received, 16_000), 1, { from: -120, to: 0 });
    expect(differenceDb(pair)).toBeLessThan(-60);
    // A lost or doubled frame would differ from its place on by as much as there is.
    expect(worstWindowDb(pair, 16_000, 100)).toBeLessThan(-60);
  });

  test('brings the caller each clip of the bot’s, whole, once and in order', () => {
    const { run } = real;
    expect(run.clears).toEqual([]);
    expect(run.unplayed).toHaveLength(0);
    const runs = run.runs.map(({ fromMs, toMs }) => run.heard.slice(fromMs * 8, toMs * 8));
    const clips = [GREETING, ANSWER];
    expect(runs).toHaveLength(clips.length);
    for (const [index, clip] of clips.entries()) {
      const heard = runs[index]!;
      const range = { from: -24 * LONGEST_CUSHION_MS, to: 0 };
      const pair = align(telephoneBand(clip, 24_000), telephoneBand(heard, 8_000), 3, range);
      // All of it lies within what was played, which is not longer but for the cushion and the filter's ringing out.
      const endsAfterMs = (heard.length * 3 + pair.lag - clip.length) / 24;
      expect(Math.abs(endsAfterMs)).toBeLessThan(5);
      // G.711 itself leaves about as much.
      expect(differenceDb(pair)).toBeLessThan(-28);
      expect(worstWindowDb(pair, 8_000, 300)).toBeLessThan(-18);
    }
  });
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { botSchema } from '../../../src/bots/bot.ts';
import type { JournalEntry, JournalEntryOf } from '../../../src/call/journal.ts';
import { Exchange } from '../../../src/lab/laboratory/exchange.ts';
import type { LabCall } from '../../../src/lab/laboratory/lab-call.ts';
import { labScenario, MODELS } from '../../../src/lab/laboratory/plan.ts';
import { judge } from '../../../src/lab/laboratory/run-lab.ts';
import { type Act, talk } from '../../../src/lab/laboratory/story.ts';
import { FAIR_WEATHER } from '../../../src/lab/network/line.ts';

/** A word that began after the old connection had been left is sent from so much before it, at most. */
const SOFT_BEGINNING_MS = 240;
const TWO_HOURS_MS = 2 * 3_600_000;
/** Tables are filled and code is compiled by then. */
const SETTLED_MS = 20 * 60_000;
const WEATHER = { ...FAIR_WEATHER, delayMs: 20 };
/** What is looked at; the rest of the journal is not kept, so that the heap is the call's. */
const KEPT = new Set(['rotated', 'session-ready', 'session-lost', 'usage', 'session-forgotten', 'bug']);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function* talksOn(): Generator<Act, undefined> {
  for (;;) yield talk(2_000);
}

function heapMb(call: LabCall): number {
  // What the emulated service notes of every message is the laboratory's own, and no part of a call.
  for (const service of call.services)
    for (const session of service.sessions)
      if (session.closed !== null) (session.sent as unknown[]).length = 0;
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed / 1_048_576;
}

describe('a call of two hours', () => {
  const journal: JournalEntry[] = [];
  const of = <T extends JournalEntry['type']>(type: T): readonly JournalEntryOf<T>[] =>
    journal.filter((entry): entry is JournalEntryOf<T> => entry.type === type);
  let call: LabCall;
  let leftovers: readonly string[];
  let earlyMb = 0;
  let lateMb = 0;

  beforeAll(async () => {
    const exchange = new Exchange({
      seed: 1,
      sound: 'counters',
      onEntry: (_call, entry) => {
        if (KEPT.has(entry.type)) journal.push(entry);
      },
      plans: [
        {
          number: 0,
          seed: 1,
          ringsAtMs: 0,
          story: { acts: talksOn(), longestMs: TWO_HOURS_MS },
          // As long as Gemini's own connections live at most; most of them end sooner, at their goAway.
          scenario: labScenario({ model: { connectionMs: 590_000 } }),
          carrierWeather: WEATHER,
          modelWeather: WEATHER,
          handshakeMs: 120,
          bot: { model: MODELS['3.8'] },
        },
      ],
    });
    call = exchange.calls[0]!;
    await exchange.run(SETTLED_MS);
    earlyMb = heapMb(call);
    await exchange.run(TWO_HOURS_MS - SETTLED_MS - 60_000);
    lateMb = heapMb(call);
    await exchange.run(5 * 60_000);
    await exchange.finish();
    leftovers = exchange.leftovers;
  }, 120_000);

  it('lasts two hours, and keeps every sentence of the laboratory', () => {
    expect(call.ended).toMatchObject({ who: 'caller', how: 'completed' });
    expect(call.endedAtMs - call.startedAtMs).toBeGreaterThanOrEqual(TWO_HOURS_MS);
    expect(judge(call, 'counters', 1)).toEqual([]);
    expect(leftovers).toEqual([]);
    expect(of('bug')).toEqual([]);
  });

  it('is carried on over at least twelve rotations, every one at a quiet moment', () => {
    const rotated = of('rotated');
    expect(rotated.length).toBeGreaterThanOrEqual(12);
    expect(rotated.filter(({ planned, resentMs }) => !planned || resentMs > SOFT_BEGINNING_MS)).toEqual([]);
    expect(of('session-lost')).toEqual([]);
  });

  it('is one session from its beginning to its end', () => {
    const [first, ...others] = of('session-ready').map(({ how }) => how);
    expect(first).toBe('first');
    expect(new Set(others)).toEqual(new Set(['resumed']));
    const sessions = call.services[0]!.sessions.map(({ conversation }) => conversation);
    expect(new Set(sessions).size).toBe(1);
    expect(of('session-forgotten')).toEqual([]);
  });

  it('never holds more than its context and one turn', () => {
    const usage = of('usage');
    const tokens = usage.map((entry) => entry.usage.promptTokens);
    const { triggerTokens } = botSchema.parse({}).session.compression;
    // 25 tokens a second, in either direction, from one report to the next.
    const longestTurnMs = Math.max(...usage.slice(1).map(({ atMs }, index) => atMs - usage[index]!.atMs));
    expect(longestTurnMs).toBeLessThan(30_000);
    expect(Math.max(...tokens)).toBeLessThanOrEqual(triggerTokens + 2 * 0.025 * longestTurnMs);
    // It was reached, and shortened again and again: two hours of audio are many times that.
    const shortened = tokens.filter((now, index) => now < 0.7 * (tokens[index - 1] ?? 0));
    expect(shortened.length).toBeGreaterThan(3);
  });

  it('takes no more memory at its end than after twenty minutes, but for its records', () => {
    expect(lateMb - earlyMb).toBeLessThan(5);
  });
});

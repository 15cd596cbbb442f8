import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { botSchema } from '../../src/bots/bot.ts';
import { DEAD_AIR_MS, FILLER_EVERY_MS } from '../../src/call/intent.ts';
import { afterFailure, CONNECT_DEADLINE_MS, type Failure, startOutage } from '../../src/call/ladder.ts';
import { forcedAtMs, ROTATION_PLAN, rotationDueMs } from '../../src/call/rotation-plan.ts';
import { HOLD_MS } from '../../src/call/session.ts';
import { DEFAULT_STALL_POLICY, STALL_SIGNS, STALL_STEPS } from '../../src/call/stall-policy.ts';
import { furthestStep, mayBeMeant } from '../../src/call/stall-steps.ts';
import { MAX_KEPT_MS } from '../../src/call/uplink.ts';
import { govern } from '../../src/gemini/governor.ts';
import type { ConnectLive } from '../../src/gemini/live-session.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { SETTINGS } from '../../src/settings.ts';
import { codes, readDocument, section, tableRows } from './markdown.ts';

const document = readDocument('docs/long-calls.md');
const text = document.replaceAll(/\s+/g, ' ');
const seconds = (ms: number): string => `${ms / 1000} s`;
const policy = DEFAULT_STALL_POLICY;

describe('the stalls', () => {
  const rowOf = (table: string, name: string): string[] =>
    tableRows(section(document, table)).find(([first]) => first === `\`${name}\``) ?? [];

  test('the table of signs has every sign, in order', () => {
    const names = tableRows(section(document, 'signs')).map(([name = '']) => codes(name)[0]);
    expect(names).toEqual([...STALL_SIGNS]);
  });

  test.each(STALL_SIGNS)('%s goes as far as the table says', (sign) => {
    const [, , furthest = ''] = rowOf('signs', sign);
    expect(furthest.includes('the row')).toBe(mayBeMeant(sign));
    if (!mayBeMeant(sign)) expect(codes(furthest)).toEqual([furthestStep(policy, sign, 1)]);
    // The one that skips steps of the row says to which.
    const first = furthestStep(policy, sign, 1);
    expect(codes(furthest).includes('fresh')).toBe(first === 'fresh');
  });

  test('the table of steps has every step, and when it is taken', () => {
    const rows = tableRows(section(document, 'steps'));
    expect(rows.map(([step = '', after]) => [codes(step)[0], after])).toEqual(
      STALL_STEPS.map((step) => [step, seconds(step === 'wait' ? 0 : (policy.afterMs[step] ?? Number.NaN))]),
    );
    expect(rowOf('steps', 'nudge')[2]).toContain(`After ${seconds(policy.nudgeAfterTurnMs)} where`);
    expect(rowOf('steps', 'filler')[2]).toContain(`every ${seconds(policy.fillerEveryMs)}`);
    expect(rowOf('steps', 'fresh')[2]).toContain(
      `After ${seconds(policy.afterMs.rotate ?? 0)} for \`deaf-mute\``,
    );
  });

  test('the row says how far unanswered utterances go', () => {
    const rows = tableRows(section(document, 'ignored')).map(([, step = '']) => codes(step)[0]);
    expect(rows).toEqual([1, 2, 3, 4].map((ignored) => furthestStep(policy, 'unanswered', ignored)));
    expect(furthestStep(policy, 'unanswered', 5)).toBe(rows.at(-1));
  });

  test('the figures of the signs are those of the policy', () => {
    const seen = (sign: string): string | undefined => rowOf('signs', sign)[1];
    expect(seen('unanswered')).toContain(`due for ${seconds(policy.unansweredMs)}`);
    expect(seen('near-silent-audio')).toContain(`under −${-policy.nearSilentDbov} dBov`);
    expect(seen('freeze')).toContain(`playing for ${seconds(policy.frozenMs)}`);
    expect(seen('no-turn-complete')).toContain(`${seconds(policy.endOverdueMs)} later`);
    expect(text).toContain(`${seconds(policy.restMs)} after the last step`);
    expect(text).toContain(`at most ${policy.maxConnections} new connections`);
  });
});

describe('rotations', () => {
  test('begin and are forced when the text says', () => {
    const { earliestMs, latestMs, forcedMs } = ROTATION_PLAN;
    expect(text).toContain(`at an age between ${seconds(earliestMs)} and ${seconds(latestMs)}`);
    expect(text).toContain(`is left at an age of ${seconds(forcedMs)}`);
    expect(text).toContain(`within ${seconds(HOLD_MS)}, the old connection is closed`);
    expect(text).toContain(`**At most ${seconds(MAX_KEPT_MS)} are kept.**`);
    expect(text).toContain(`nothing has been heard for ${seconds(DEAD_AIR_MS)}`);
    expect(text).toContain(`and again every ${seconds(FILLER_EVERY_MS)}`);
  });

  test('follow an announcement as the text says', () => {
    expect(text).toContain('at once when 60 s or less are left, otherwise 60 to 45 s before the end.');
    expect([1, 60_000].map((left) => rotationDueMs(left, { ageMs: 590_000, random: 0.5, nowMs: 0 }))).toEqual(
      [0, 0],
    );
    expect(
      [0, 1].map((random) => 300_000 - rotationDueMs(300_000, { ageMs: 1_000, random, nowMs: 0 })),
    ).toEqual([60_000, 45_000]);
    expect(text).toContain('without a time counts as one of 50 s');
    expect(forcedAtMs(null, 0)).toBe(forcedAtMs(50_000, 0));
    expect(text).toContain('or 5 s before the end that `goAway` has announced (at half of what is left');
    expect([300_000, 10_000, 6_000].map((left) => left - forcedAtMs(left, 0))).toEqual([5_000, 5_000, 3_000]);
  });
});

describe('the ladder', () => {
  /** Attempts that fail at once with the same word: the waits between them, and how long each rung was tried. */
  function climb(failure: Pick<Failure, 'class'>) {
    const waits: number[] = [];
    let nowMs = 0;
    let outage = startOutage('newest', nowMs);
    let onNewestMs: number | null = null;
    for (let i = 0; i < 60; i++) {
      const next = afterFailure(outage, { detail: '', random: 0.5, handles: 2, ...failure }, nowMs);
      if (next === null) return { waits, rungs: [outage.rung, null], onNewestMs };
      if (next.outage.rung !== outage.rung) onNewestMs ??= nowMs + next.waitMs;
      waits.push(next.waitMs);
      nowMs += next.waitMs;
      outage = next.outage;
    }
    return { waits, rungs: [outage.rung], onNewestMs };
  }

  test('waits as long between two attempts as the text says', () => {
    expect(text).toContain('waits 250 ms, 500 ms, 1 s, 2 s, then always 4 s');
    expect(climb({ class: 'network' }).waits.slice(0, 7)).toEqual([
      250, 500, 1_000, 2_000, 4_000, 4_000, 4_000,
    ]);
    expect(text).toContain('300 ms while the old connection is taken for open');
    expect(climb({ class: 'old-socket-open' }).waits[0]).toBe(300);
    expect(text).toContain(`An attempt has ${seconds(CONNECT_DEADLINE_MS)}.`);
  });

  test('tries the newest handle for as long as the table says, and then comes to a fresh session', () => {
    expect(text).toContain('out of reach or refuses for a quota; else for 8 s, or 12 s while it says');
    for (const [found, mostMs] of [
      ['overload', 8_000],
      ['old-socket-open', 12_000],
    ] as const) {
      const { onNewestMs, waits, rungs } = climb({ class: found });
      // It ends with the last attempt that can still be made within its time.
      expect(onNewestMs).toBeGreaterThanOrEqual(mostMs - Math.max(...waits));
      expect(onNewestMs).toBeLessThanOrEqual(mostMs + Math.max(...waits));
      expect(rungs).toEqual(['fresh']);
    }
  });

  test('ends at once where the key is refused', () => {
    expect(climb({ class: 'auth' })).toEqual({ waits: [], rungs: ['newest', null], onNewestMs: null });
  });

  test('has the time that the settings give it', () => {
    expect(text).toContain(`(${botSchema.parse({}).limits.outageSeconds} s from the first failure)`);
  });
});

test('the door lets in as many a second as the text says', async () => {
  const clock = new VirtualClock();
  const startedAtMs: number[] = [];
  const connectLive = (() => {
    startedAtMs.push(clock.now());
    return new Promise(() => {});
  }) as ConnectLive;
  const perSecond = Number(SETTINGS.CONNECTS_PER_SECOND.default);
  const connect = govern(connectLive, { clock, random: () => 0, perSecond, atOnce: 1_000 });
  const sinceMs = clock.now();
  for (let i = 0; i < 400; i++) {
    const signal = new AbortController().signal;
    const handlers = { onEvents: () => {}, onClose: () => {} };
    void connect({ model: 'm', systemInstruction: '', voice: null, language: null }, handlers, {
      signal,
      deadlineMs: 60_000,
      need: 'outage',
    });
  }
  expect(text).toContain('15 connects a second, 3 at the same instant');
  expect(text).toContain(`${SETTINGS.CONNECTS_AT_ONCE.default} under way`);
  expect(startedAtMs.length).toBe(3);
  await clock.advanceAsync(10_000);
  expect(startedAtMs.filter((atMs) => atMs > sinceMs).length).toBe(150);
  expect(text).toContain('Fifteen a second are 450 calls within an outage of 30 s');
});

test('every entry of the journal that it names is written to the log with the line beside it', () => {
  const source = readFileSync('src/observability/journal-log.ts', 'utf8');
  const rows = tableRows(section(document, 'journal'));
  expect(rows.length).toBe(10);
  for (const [entry = '', line] of rows) {
    const [type = ''] = codes(entry);
    const found = new RegExp(`^ {2}'?${type}'?: \\['\\w+', '([^']+)'\\]`, 'm').exec(source)?.[1];
    expect([type, line]).toEqual([type, found]);
  }
});

test('the alerts that it names exist', () => {
  const alerts = readDocument('docs/metrics.md');
  const named = document.match(/`Offhook\w+`/g) ?? [];
  expect(named.length).toBe(3);
  for (const name of named) expect(alerts).toContain(`alert: ${name.replaceAll('`', '')}\n`);
});

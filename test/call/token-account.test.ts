import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenAccount } from '../../src/call/token-account.ts';
import { parseServerMessage } from '../../src/gemini/events.ts';
import type { Usage } from '../../src/gemini/live-session.ts';
import { chat, Line } from '../lab/emulator/line.ts';

const usage = (promptTokens: number, responseTokens: number): Usage => ({
  promptTokens,
  responseTokens,
  totalTokens: promptTokens + responseTokens,
});

/** One turn of the model, with its reports. */
interface Turn {
  readonly promptTokens: number;
  /** 20 ms and more. */
  readonly audioMs: number;
  readonly chunks: number;
}
type Reports = 'totals' | 'changes' | 'running' | 'none';

function play(account: TokenAccount, turn: Turn, reports: Reports): void {
  const tokens = Math.round(turn.audioMs / 40);
  let said = 0;
  for (let i = 1; i <= turn.chunks; i++) {
    account.audioOut(turn.audioMs / turn.chunks);
    const upTo = Math.round((tokens * i) / turn.chunks);
    if (reports === 'changes') account.usage(usage(0, upTo - said));
    if (reports === 'running') account.usage(usage(turn.promptTokens, upTo));
    said = upTo;
  }
  account.turnComplete();
  if (reports === 'totals' || reports === 'running') account.usage(usage(turn.promptTokens, tokens));
}

const turns = fc.array(
  fc.record({
    promptTokens: fc.integer({ min: 1, max: 100_000 }),
    audioMs: fc.integer({ min: 1_000, max: 60_000 }),
    chunks: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 1, maxLength: 20 },
);

describe('what the model said', () => {
  test.each<Reports>(['totals', 'changes', 'running'])(
    'is counted once, when reports come as %s',
    (reports) => {
      fc.assert(
        fc.property(turns, (all) => {
          const account = new TokenAccount(null);
          for (const turn of all) play(account, turn, reports);
          const wanted = all.reduce((sum, turn) => sum + Math.round(turn.audioMs / 40), 0);
          expect(account.responseTokens).toBe(wanted);
        }),
        { seed: 1 },
      );
    },
  );

  test('is reckoned from the seconds for each turn of which nothing is reported', () => {
    fc.assert(
      fc.property(turns, fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), (all, reported) => {
        const account = new TokenAccount(null);
        for (const [i, turn] of all.entries()) play(account, turn, reported[i] ? 'totals' : 'none');
        const wanted = all.reduce((sum, turn) => sum + turn.audioMs / 40, 0);
        expect(Math.abs(account.responseTokens - wanted)).toBeLessThanOrEqual(all.length);
      }),
      { seed: 2 },
    );
  });

  test('never goes back, whatever is reported', () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('out'), n: fc.integer({ min: 1, max: 9_000 }) }),
      fc.record({ what: fc.constant('in'), n: fc.integer({ min: 1, max: 9_000 }) }),
      fc.record({ what: fc.constant('usage'), n: fc.integer({ min: 0, max: 2_000_000 }) }),
      fc.record({ what: fc.constantFrom('complete', 'resumed', 'fresh'), n: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const account = new TokenAccount(32_000);
        let said = 0;
        let highest = 0;
        for (const { what, n } of steps) {
          if (what === 'out') account.audioOut(n);
          else if (what === 'in') account.audioIn(n);
          else if (what === 'usage') account.usage(usage(n % 50_000, n % 1_000));
          else if (what === 'complete') account.turnComplete();
          else account.sessionReady({ resumed: what === 'resumed' });
          expect(account.responseTokens).toBeGreaterThanOrEqual(said);
          if (!account.isEstimate) {
            expect(account.highestPromptTokens).toBeGreaterThanOrEqual(highest);
            expect(account.highestPromptTokens).toBeGreaterThanOrEqual(account.promptTokens);
            highest = account.highestPromptTokens;
          }
          expect(
            Number.isSafeInteger(account.responseTokens) && Number.isSafeInteger(account.promptTokens),
          ).toBe(true);
          said = account.responseTokens;
        }
      }),
      { seed: 3 },
    );
  });

  test('is known in the middle of a turn too', () => {
    const account = new TokenAccount(null);
    account.audioOut(2_000);
    expect(account.responseTokens).toBe(50);
    account.usage(usage(0, 20));
    expect(account.responseTokens).toBe(50);
    account.audioOut(2_000);
    account.usage(usage(0, 51));
    expect(account.responseTokens).toBe(71);
  });

  test('stays what it was when a report comes twice', () => {
    const account = new TokenAccount(null);
    play(account, { promptTokens: 500, audioMs: 4_000, chunks: 4 }, 'totals');
    account.usage(usage(500, 100));
    expect(account.responseTokens).toBe(100);
  });
});

describe('the context', () => {
  test('is what was reported last, and follows it down when it is compressed', () => {
    const account = new TokenAccount(32_000);
    play(account, { promptTokens: 31_000, audioMs: 1_000, chunks: 2 }, 'totals');
    play(account, { promptTokens: 16_000, audioMs: 1_000, chunks: 2 }, 'totals');
    expect([account.promptTokens, account.highestPromptTokens, account.isEstimate]).toEqual([
      16_000,
      31_000,
      false,
    ]);
  });

  test('is reckoned from the seconds both ways when nothing is reported, up to where it is compressed', () => {
    const account = new TokenAccount(1_000);
    account.audioIn(8_000);
    account.audioOut(4_000);
    expect([account.promptTokens, account.isEstimate]).toEqual([300, true]);
    account.audioIn(600_000);
    expect(account.promptTokens).toBe(1_000);
  });

  test('is not what a change of it is', () => {
    const account = new TokenAccount(32_000);
    play(account, { promptTokens: 5_000, audioMs: 1_000, chunks: 1 }, 'totals');
    account.sessionReady({ resumed: true });
    for (let i = 0; i < 5; i++) {
      account.audioOut(1_000);
      account.usage(usage(40, 25));
    }
    account.turnComplete();
    account.usage(usage(40, 25));
    expect([account.promptTokens, account.forgotten()]).toEqual([5_000, false]);
  });

  test('begins anew with a fresh session', () => {
    const account = new TokenAccount(32_000);
    play(account, { promptTokens: 9_000, audioMs: 1_000, chunks: 1 }, 'totals');
    account.sessionReady({ resumed: true });
    account.sessionReady({ resumed: false });
    expect([account.promptTokens, account.highestPromptTokens]).toEqual([0, 9_000]);
    play(account, { promptTokens: 700, audioMs: 1_000, chunks: 1 }, 'totals');
    expect([account.promptTokens, account.forgotten()]).toEqual([700, false]);
  });
});

describe('a resumption', () => {
  const resumed = (before: number, after: number, trigger: number | null = 32_000): TokenAccount => {
    const account = new TokenAccount(trigger);
    play(account, { promptTokens: before, audioMs: 1_000, chunks: 2 }, 'totals');
    account.sessionReady({ resumed: true });
    play(account, { promptTokens: after, audioMs: 1_000, chunks: 2 }, 'totals');
    return account;
  };

  test('has forgotten when less than half of the context is left, and says so once', () => {
    const account = resumed(6_000, 2_900);
    expect(account.forgotten()).toBe(true);
    expect(account.forgotten()).toBe(false);
  });

  test.each([
    ['half of it is left', 6_000, 3_000, 32_000],
    ['there was hardly any', 999, 100, 32_000],
    ['it was about to be compressed', 30_500, 9_000, 32_000],
  ])('has not when %s', (_why, before, after, trigger) => {
    expect(resumed(before, after, trigger).forgotten()).toBe(false);
  });

  test('has, where nothing is ever compressed, however large the context was', () => {
    expect(resumed(30_500, 9_000, null).forgotten()).toBe(true);
  });

  test('is judged by the first total after it, and by no other', () => {
    const account = resumed(6_000, 6_200);
    play(account, { promptTokens: 900, audioMs: 1_000, chunks: 1 }, 'totals');
    expect(account.forgotten()).toBe(false);
  });

  test('is judged against what was before it, also when it took two', () => {
    const account = new TokenAccount(32_000);
    play(account, { promptTokens: 6_000, audioMs: 1_000, chunks: 1 }, 'totals');
    account.sessionReady({ resumed: true });
    account.sessionReady({ resumed: true });
    play(account, { promptTokens: 400, audioMs: 1_000, chunks: 1 }, 'totals');
    expect(account.forgotten()).toBe(true);
  });

  test('is believed only where the growth since the last report rules out compression', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 31_000 }),
        fc.integer({ min: 0, max: 600_000 }),
        fc.integer({ min: 1, max: 31_000 }),
        (before, spokenMs, after) => {
          const account = new TokenAccount(32_000);
          play(account, { promptTokens: before, audioMs: 1_000, chunks: 1 }, 'totals');
          account.audioIn(spokenMs);
          account.sessionReady({ resumed: true });
          play(account, { promptTokens: after, audioMs: 1_000, chunks: 1 }, 'totals');
          const compressionFar = before + spokenMs / 40 < 30_400;
          expect(account.forgotten()).toBe(after * 2 < before && compressionFar);
        },
      ),
      { seed: 4 },
    );
  });
});

describe('the emulated service', () => {
  test.each(['turn-totals', 'chunk-deltas'] as const)('costs what its seconds cost: %s', (usageReports) => {
    const line = new Line(chat({}, 4_000), { behaviours: { usageReports } }).open('2.5');
    line.silence(300).speak(700).silence(8_000).speak(700).silence(8_000);
    const account = new TokenAccount(32_000);
    let audioMs = 0;
    let reported = 0;
    for (const { message } of line.received) {
      for (const event of parseServerMessage(message)) {
        if (event.type === 'audio') {
          audioMs += event.bytes.length / 48;
          account.audioOut(event.bytes.length / 48);
        } else if (event.type === 'turn-complete') account.turnComplete();
        else if (event.type === 'usage') {
          reported += 1;
          account.usage(event.usage);
        }
      }
    }
    expect(audioMs).toBeCloseTo(8_000, 0);
    expect(reported).toBeGreaterThan(1);
    // Whole tokens are reported, so each report may be off by a half.
    expect(Math.abs(account.responseTokens - audioMs / 40)).toBeLessThanOrEqual(reported / 2);
    expect(account.isEstimate).toBe(usageReports === 'chunk-deltas');
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerMemo } from '../../src/http/answer-memo.ts';
import { TokenBucket } from '../../src/http/token-bucket.ts';
import { YoungStreams } from '../../src/http/young-streams.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { CalmLog } from '../../src/observability/calm-log.ts';
import { createLog } from '../../src/observability/log.ts';

describe('token bucket', () => {
  test('in no stretch of time does it let through more than the burst and the rate', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 300 }), { maxLength: 400, size: 'max' }),
        fc.integer({ min: 1, max: 50 }),
        (gaps, burst) => {
          const perSecond = 20;
          const bucket = new TokenBucket(perSecond, burst, 0);
          let now = 0;
          const taken: number[] = [];
          for (const gap of gaps) {
            now += gap;
            if (bucket.take(now)) taken.push(now);
          }
          for (const [first, from] of taken.entries()) {
            for (let last = first; last < taken.length; last += 1) {
              const allowed = burst + (perSecond * ((taken[last] as number) - from)) / 1000;
              if (last - first + 1 > allowed + 1e-6) return false;
            }
          }
          return true;
        },
      ),
      { numRuns: 60 },
    );
  });

  test('whoever keeps to the rate is never refused, for hours', () => {
    const bucket = new TokenBucket(200, 1, 0);
    for (let n = 0; n < 1_000_000; n += 1) if (!bucket.take(n * 5)) throw new Error(`refused at ${n * 5} ms`);
  });
});

describe('answers that were given', () => {
  const answer = (ref: string) => ({
    ref,
    reply: Promise.resolve({ status: 200, contentType: 'text/plain', body: ref }),
  });

  test('are kept for their time and no longer', () => {
    const clock = new VirtualClock();
    const memo = new AnswerMemo(clock, 10, 1000);
    memo.keep('a', answer('a'));
    clock.advance(1000);
    expect(memo.find('a')?.ref).toBe('a');
    clock.advance(1);
    expect(memo.find('a')).toBeNull();
  });

  test('are forgotten oldest first, so that their number has a bound', () => {
    const memo = new AnswerMemo(new VirtualClock(), 3, 1000);
    for (const key of ['a', 'b', 'c', 'a', 'd']) memo.keep(key, answer(key));
    expect(['a', 'b', 'c', 'd'].filter((key) => memo.find(key) !== null)).toEqual(['a', 'c', 'd']);
  });
});

test('young streams count until they are ten seconds old or closed, whichever is first, and once', () => {
  const clock = new VirtualClock();
  const young = new YoungStreams(clock);
  const closeFirst = young.add('a');
  young.add('a');
  young.add('b');
  expect([young.of('a'), young.of('b'), young.of('c')]).toEqual([2, 1, 0]);
  closeFirst();
  closeFirst();
  expect(young.of('a')).toBe(1);
  clock.advance(9_999);
  expect(young.of('a')).toBe(1);
  clock.advance(1);
  closeFirst();
  expect([young.of('a'), young.of('b')]).toEqual([0, 0]);
});

test('a thousand refusals in a second are one line, and the next line says how many', () => {
  const clock = new VirtualClock();
  const lines: { kind: string; alike: number }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const calm = new CalmLog(createLog({ level: 'info', secrets: [], destination }), clock, 'refused');
  for (let n = 0; n < 1000; n += 1) calm.warn('forged', { carrier: 'twilio' });
  calm.warn('other', {});
  clock.advance(1000);
  calm.warn('forged', { carrier: 'twilio' });
  expect(lines.map(({ kind, alike }) => [kind, alike])).toEqual([
    ['forged', 1],
    ['other', 1],
    ['forged', 1000],
  ]);
});

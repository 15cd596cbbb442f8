import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeardLedger } from '../../src/call/ledger.ts';

const WORDS = 'the quick brown fox jumps over the lazy dog while the band plays a slow waltz in the garden';

/** One turn of ten seconds, whose words run evenly. */
function tenSeconds(): HeardLedger {
  const ledger = new HeardLedger(8_000);
  ledger.queued(1, 0, 40_000);
  ledger.said(1, WORDS);
  ledger.queued(1, 40_000, 80_000);
  return ledger;
}

test('a turn that was played to its end was heard in full', () => {
  expect(tenSeconds().heardUpTo(80_000, 0)).toEqual([
    { turn: 1, generatedMs: 10_000, heardMs: 10_000, heardText: WORDS, uncertainText: '' },
  ]);
});

test('a turn that was not begun was not heard at all', () => {
  expect(tenSeconds().heardUpTo(0, 0)).toEqual([
    { turn: 1, generatedMs: 10_000, heardMs: 0, heardText: '', uncertainText: '' },
  ]);
});

test('of a turn that was cut the words before the cut are sure, those around it are not, and no word is halved', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 79_999 }), (position) => {
      const ledger = tenSeconds();
      ledger.cutAt(position, 80_000);
      const [heard] = ledger.heardUpTo(position, 0);
      expect(heard!.heardMs).toBeCloseTo(position / 8, 6);
      const said = [heard!.heardText, heard!.uncertainText].filter((part) => part !== '').join(' ');
      const words = WORDS.split(' ');
      expect(said === '' || words.slice(0, said.split(' ').length).join(' ') === said).toBe(true);
      // A word is sure only when it is over 400 ms before the cut, and left out only when it ends 400 ms after it.
      const endOf = (count: number) => (words.slice(0, count).join(' ').length / WORDS.length) * 10_000;
      const sure = heard!.heardText === '' ? 0 : heard!.heardText.split(' ').length;
      const perhaps = said === '' ? 0 : said.split(' ').length;
      if (sure > 0) expect(endOf(sure)).toBeLessThanOrEqual(position / 8 - 400 + 1);
      expect(endOf(sure + 1)).toBeGreaterThan(position / 8 - 400 - 200);
      if (perhaps < words.length) expect(endOf(perhaps + 1)).toBeGreaterThan(position / 8 + 400 - 200);
    }),
    { numRuns: 300 },
  );
});

test('what was cut stays cut, whatever is played later', () => {
  const ledger = tenSeconds();
  ledger.cutAt(16_000, 80_000);
  ledger.queued(2, 80_000, 96_000);
  const [first, second] = ledger.heardUpTo(96_000, 0);
  expect(first).toMatchObject({ turn: 1, heardMs: 2_000, generatedMs: 10_000 });
  expect(second).toMatchObject({ turn: 2, heardMs: 2_000, generatedMs: 2_000 });
});

test('a cut whose account is closed late does not touch what was queued since', () => {
  const ledger = tenSeconds();
  ledger.queued(2, 80_000, 96_000);
  ledger.cutAt(16_000, 80_000);
  const [first, second] = ledger.heardUpTo(96_000, 0);
  expect(first).toMatchObject({ turn: 1, heardMs: 2_000 });
  expect(second).toMatchObject({ turn: 2, heardMs: 2_000, generatedMs: 2_000 });
});

test('turns that were over before the generation began are left out', () => {
  const ledger = tenSeconds();
  ledger.queued(2, 80_000, 88_000);
  expect(ledger.heardUpTo(88_000, 80_000).map(({ turn }) => turn)).toEqual([2]);
  expect(ledger.heardUpTo(88_000, 79_999).map(({ turn }) => turn)).toEqual([1, 2]);
});

describe('words', () => {
  test('may come before their audio, with it and after it', () => {
    const ledger = new HeardLedger(8_000);
    ledger.said(1, 'Good ');
    ledger.queued(1, 4_000, 8_000);
    ledger.said(1, 'morning');
    ledger.queued(1, 8_000, 12_000);
    ledger.said(1, ', sir.');
    expect(ledger.turn(1)).toEqual({ generatedMs: 1_000, text: 'Good morning, sir.' });
    expect(ledger.heardUpTo(12_000, 0)).toMatchObject([{ heardMs: 1_000, heardText: 'Good morning, sir.' }]);
  });

  test('of a turn without audio are nothing that could have been heard', () => {
    const ledger = new HeardLedger(8_000);
    ledger.said(1, 'only written');
    expect(ledger.heardUpTo(1_000, 0)).toEqual([]);
    expect(ledger.turn(1)).toEqual({ generatedMs: 0, text: 'only written' });
  });

  test('that come late find their turn, although a newer one has begun', () => {
    const ledger = new HeardLedger(8_000);
    ledger.queued(1, 0, 8_000);
    ledger.queued(2, 8_000, 16_000);
    ledger.said(1, 'late');
    expect(ledger.turn(1).text).toBe('late');
    expect(ledger.turn(2).text).toBe('');
  });
});

test('neither turns nor words grow without a bound', () => {
  const ledger = new HeardLedger(8_000);
  for (let turn = 1; turn <= 500; turn++) ledger.queued(turn, turn * 160, turn * 160 + 160);
  expect(ledger.heardUpTo(1e6, 0).length).toBeLessThanOrEqual(32);
  expect(ledger.heardUpTo(1e6, 0).at(-1)!.turn).toBe(500);
  for (let i = 0; i < 100; i++) ledger.said(500, 'x'.repeat(1_000));
  expect(ledger.turn(500).text.length).toBeLessThanOrEqual(8_000);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DESTINATIONS_PER_HOUR, DialDesk, type DialOrder, PENDING_MS } from '../../src/call/dial-desk.ts';

const HOUR_MS = 3_600_000;
const orderTo = (to: string, change: Partial<DialOrder> = {}): DialOrder => ({
  carrier: 'telnyx',
  bot: 'reminder',
  from: '+15550100002',
  to,
  detectMachine: true,
  ...change,
});
const desk = (allow: readonly string[], perHour = 6) => new DialDesk({ allow, perHour });

describe('who may be called', () => {
  test.each([
    [['+15551230001'], '+15551230001', true],
    [['+15551230001'], '+15551230002', false],
    [['+15551230001'], '+155512300011', false],
    [['+1555*'], '+15551230001', true],
    [['+1555*'], '+15561230001', false],
    [['+49*', '+1555*'], '+15551230001', true],
    [[], '+15551230001', false],
  ])('DIAL_ALLOW %j and %s: %s', (allow, to, allowed) => {
    expect(desk(allow).order('r', orderTo(to), 0)?.why ?? 'allowed').toBe(
      allowed ? 'allowed' : 'not-allowed',
    );
  });

  test.each([
    '15551230001',
    '+05551230001',
    '+1555',
    '+1555123000112345',
    '+1 555 123 0001',
    '+1555123000a',
    '+15551230001\n',
    'sip:+15551230001@example.com',
    '',
    '*',
  ])('%j is no number, neither to call nor to call from', (number) => {
    expect(desk(['+1*']).order('r', orderTo(number), 0)).toEqual({
      why: 'invalid',
      detail: expect.stringContaining(`to is "${number}"`),
    });
    expect(desk(['+1*']).order('r', orderTo('+15551230001', { from: number }), 0)).toMatchObject({
      why: 'invalid',
      detail: expect.stringContaining(`from is "${number}"`),
    });
  });

  test('what is refused is neither counted nor remembered', () => {
    const it = desk(['+1555*'], 1);
    it.order('r1', orderTo('+4930123456'), 0);
    it.order('r2', orderTo('nobody'), 0);
    expect([it.ringing(0), it.find('r1', 'telnyx', 0)]).toEqual([0, null]);
    expect(it.order('r3', orderTo('+15551230001'), 0)).toBeNull();
    expect(it.order('r4', orderTo('+15551230001'), 0)?.why).toBe('too-many');
    expect(it.ringing(0)).toBe(1);
  });
});

/** Orders one after the other, to few destinations, with pauses from none to half an hour. */
const orders = fc.array(
  fc.tuple(
    fc.integer({ min: 1, max: 3 }).map((n) => `+1555123000${n}`),
    fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 * 60_000 }), fc.constant(HOUR_MS - 1)),
  ),
  { maxLength: 80, size: 'max' },
);

describe('how often', () => {
  test('no hour of all has more calls to one destination than allowed, and no call is refused without need', () => {
    fc.assert(
      fc.property(orders, fc.integer({ min: 1, max: 4 }), (script, perHour) => {
        const it = desk(['+1*'], perHour);
        const placed: { to: string; atMs: number }[] = [];
        let nowMs = 0;
        for (const [index, [to, pauseMs]] of script.entries()) {
          nowMs += pauseMs;
          // Counted from the whole past, in the place of a window that moves.
          const lately = placed.filter((each) => each.to === to && each.atMs > nowMs - HOUR_MS).length;
          const refusal = it.order(`r${index}`, orderTo(to), nowMs);
          expect(refusal === null).toBe(lately < perHour);
          if (refusal === null) placed.push({ to, atMs: nowMs });
          else expect(refusal.why).toBe('too-many');
        }
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  test('all destinations together get sixty times what one gets', () => {
    const it = desk(['+1*'], 2);
    const number = (n: number) => `+1555${String(1_000_000 + n)}`;
    const most = 2 * DESTINATIONS_PER_HOUR;
    for (let n = 0; n < most; n++) expect(it.order(`r${n}`, orderTo(number(n)), n)).toBeNull();
    expect(it.order('over', orderTo(number(most)), most)).toMatchObject({ why: 'too-many' });
    expect(it.order('over', orderTo(number(most)), HOUR_MS - 1)).toMatchObject({ why: 'too-many' });
    // The first of them was an hour ago.
    expect(it.order('next', orderTo(number(most)), HOUR_MS)).toBeNull();
    expect(it.order('over', orderTo(number(most)), HOUR_MS)).toMatchObject({ why: 'too-many' });
  });
});

describe('a call that has not been answered yet', () => {
  const one = () => {
    const it = desk(['+1*']);
    it.order('r1', orderTo('+15551230001'), 1_000);
    return it;
  };

  test('is known by its name, to its own carrier, until its time is over', () => {
    const it = one();
    expect(it.find('r1', 'telnyx', 1_000)).toMatchObject({ bot: 'reminder', hasPlace: true });
    expect(it.find('r1', 'plivo', 1_000)).toBeNull();
    expect(it.find('r2', 'telnyx', 1_000)).toBeNull();
    expect(it.find('r1', 'telnyx', 1_000 + PENDING_MS - 1)).not.toBeNull();
    expect(it.find('r1', 'telnyx', 1_000 + PENDING_MS)).toBeNull();
  });

  test.each([
    ['it is answered', (it: DialDesk) => it.consume('r1')],
    [
      'its carrier says that it has ended',
      (it: DialDesk) => {
        it.placed('r1', 'v3:abc');
        it.ended('telnyx', 'v3:abc');
      },
    ],
  ])('is forgotten when %s', (_when, happens) => {
    const it = one();
    happens(it);
    expect([it.find('r1', 'telnyx', 1_000), it.ringing(1_000)]).toEqual([null, 0]);
  });

  test.each([
    ['another carrier’s call has the same name', (it: DialDesk) => it.ended('plivo', 'v3:abc')],
    ['another call has ended', (it: DialDesk) => it.ended('telnyx', 'v3:abd')],
  ])('is not forgotten when %s', (_when, happens) => {
    const it = one();
    it.placed('r1', 'v3:abc');
    happens(it);
    expect(it.find('r1', 'telnyx', 1_000)).not.toBeNull();
  });

  test('a call whose name the carrier has not told yet is not ended by one without a name', () => {
    const it = one();
    it.ended('telnyx', '');
    expect(it.find('r1', 'telnyx', 1_000)).not.toBeNull();
  });

  test('rings until its time is over, unless the carrier would not place it', () => {
    const it = one();
    expect([it.ringing(1_000), it.ringing(1_000 + PENDING_MS)]).toEqual([1, 0]);
    const refused = one();
    refused.failed('r1');
    expect(refused.ringing(1_000)).toBe(0);
    expect(refused.find('r1', 'telnyx', 1_000)).toMatchObject({ hasPlace: false });
  });

  test('who has answered is kept with it, of its own carrier and call, and the first word counts', () => {
    const it = one();
    it.answeredBy('telnyx', 'v3:abc', 'machine');
    it.placed('r1', 'v3:abc');
    it.answeredBy('plivo', 'v3:abc', 'machine');
    expect(it.find('r1', 'telnyx', 1_000)?.answerer).toBeNull();
    it.answeredBy('telnyx', 'v3:abc', 'person');
    it.answeredBy('telnyx', 'v3:abc', 'machine');
    expect(it.find('r1', 'telnyx', 1_000)?.answerer).toBe('person');
  });

  test('a name that is not known changes nothing', () => {
    const it = one();
    for (const name of ['r9', '__proto__', '']) {
      it.placed(name, 'x');
      it.failed(name);
      it.consume(name);
    }
    expect(it.ringing(1_000)).toBe(1);
  });
});

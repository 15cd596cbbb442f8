import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAsteriskUpgrade } from '../../../src/carriers/asterisk/upgrade.ts';
import { basic, CALL, handshake, settings } from './support.ts';

const upgrade = createAsteriskUpgrade(settings);
const PATH = '/asterisk/media';
const incoming = (query: string) => upgrade.incoming?.(handshake(`${PATH}?${query}`)) ?? null;

describe("Asterisk's handshake", () => {
  test('is let in with any of the passwords, whatever they are made of', () => {
    expect(upgrade.refusedStatus).toBe(401);
    expect(upgrade.subprotocols).toEqual(['media']);
    for (const password of settings.passwords) {
      expect(upgrade.authorize(handshake(PATH, basic('offhook', password)))).toEqual({ ok: true });
    }
    const odd = createAsteriskUpgrade({ ...settings, passwords: ['päss:wörd %'] });
    expect(odd.authorize(handshake(PATH, basic('offhook', 'päss:wörd %')))).toEqual({ ok: true });
    expect(odd.authorize(handshake(PATH, basic('offhook', 'päss')))).toEqual({
      ok: false,
      reason: 'mismatch',
    });
  });

  test('says why not', () => {
    const verdict = (header: string | string[] | undefined) =>
      upgrade.authorize({ ...handshake(PATH), headers: { authorization: header } });
    expect(verdict(undefined)).toEqual({ ok: false, reason: 'missing' });
    expect(verdict('')).toEqual({ ok: false, reason: 'missing' });
    for (const header of [
      'Basic',
      'Basic !',
      'Bearer abc',
      [basic('offhook', 'newest-password')],
      'x'.repeat(9999),
    ]) {
      expect(verdict(header)).toEqual({ ok: false, reason: 'malformed' });
    }
    expect(upgrade.authorize(handshake('ws://gw/asterisk/media'))).toEqual({
      ok: false,
      reason: 'malformed',
    });
  });

  test('with an empty password in the settings lets nobody in', () => {
    const open = createAsteriskUpgrade({ ...settings, passwords: [''] });
    expect(open.authorize(handshake(PATH, basic('offhook', '')))).toEqual({ ok: false, reason: 'mismatch' });
  });

  test('a thousand forged ones: none gets in', () => {
    const accepted: string[] = [];
    for (let n = 0; n < 1000; n += 1) {
      const guess = randomBytes(12).toString('base64');
      const good = settings.passwords[n % 2] as string;
      const headers = [
        basic('offhook', guess),
        basic(guess, good),
        basic('offhook', good.slice(0, n % good.length)),
        basic('offhook', `${good}${guess.slice(0, 1 + (n % 5))}`),
        basic('', good),
        basic('Offhook', good),
        basic('offhook', good.toUpperCase()),
        `Basic ${good}`,
        `${basic('offhook', good)} ${guess}`,
        guess,
      ];
      const header = headers[n % headers.length] as string;
      if (upgrade.authorize(handshake(PATH, header)).ok) accepted.push(header);
    }
    expect(accepted).toEqual([]);
  });
});

describe('the query of the stream', () => {
  const call = {
    carrier: 'asterisk',
    callId: CALL,
    accountId: null,
    from: '+15551230001',
    to: '600',
    direction: 'inbound',
  };

  test('says who calls whom; a plus is a plus, encoded or not', () => {
    expect(incoming(`call=${CALL}&from=%2B15551230001&to=600`)).toEqual(call);
    expect(incoming(`call=${CALL}&from=+15551230001&to=600`)).toEqual(call);
    expect(incoming(`call=${CALL}&from=John%20Doe&to=%2B1`)).toMatchObject({ from: 'John Doe', to: '+1' });
  });

  test('says that a call is one that we placed', () => {
    expect(incoming(`call=ref_1-a&from=%2B15551230001&to=600&direction=outbound&ref=ref_1-a`)).toEqual({
      ...call,
      callId: 'ref_1-a',
      direction: 'outbound',
      dialRef: 'ref_1-a',
    });
  });

  test('may leave out all but the call: a variable that is not set is an empty value', () => {
    expect(incoming(`call=${CALL}&from=&to=&direction=&ref=`)).toEqual({ ...call, from: '', to: '' });
    expect(incoming(`call=${CALL}`)).toEqual({ ...call, from: '', to: '' });
  });

  test.each([
    '',
    'call=',
    'from=1&to=2',
    `call=${CALL}&call=other`,
    'call=a%20b',
    'call=../x',
    `call=${'1'.repeat(129)}`,
    `call=${CALL}&direction=sideways`,
    `call=${CALL}&ref=a%20b`,
    `call=${CALL}&ref=${'r'.repeat(65)}`,
    'call=%',
    'call=%ff%fe',
  ])('without what names a call it is none: "%s"', (query) => {
    expect(incoming(query)).toBeNull();
  });

  test('holds no longer addresses than anybody has, and none that comes twice', () => {
    expect(incoming(`call=${CALL}&from=${'9'.repeat(999)}&to=1&to=2`)).toMatchObject({
      from: '9'.repeat(255),
      to: '',
    });
  });

  test('is whatever a peer likes, and nothing throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (query, header) => {
        const request = handshake(`/${query}?call=${query}`, header);
        expect(upgrade.authorize(request).ok).toBe(false);
        upgrade.incoming?.(request);
      }),
      { numRuns: 2000 },
    );
  });
});

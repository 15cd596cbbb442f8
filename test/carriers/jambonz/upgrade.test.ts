import { describe, expect, test } from 'vitest';
import { createJambonzUpgrade } from '../../../src/carriers/jambonz/upgrade.ts';
import { handshake, passwordOf, settings } from './support.ts';

const TARGET = '/jambonz/media/abc';

describe("jambonz's handshake", () => {
  const upgrade = createJambonzUpgrade(settings);

  test('is let in with the credentials of its own address, made with any of the secrets', () => {
    expect(upgrade.authorize(handshake(TARGET))).toEqual({ ok: true });
    expect(upgrade.authorize(handshake(TARGET, passwordOf(TARGET, 'wh_secret_old')))).toEqual({ ok: true });
  });

  test.each([
    ['those of another address', passwordOf('/jambonz/media/abd'), 'offhook'],
    ['a guessed secret', passwordOf(TARGET, 'guessed'), 'offhook'],
    ['an empty secret', passwordOf(TARGET, ''), 'offhook'],
    ['another user', passwordOf(TARGET), 'admin'],
    ['no password', '', 'offhook'],
  ])('is refused with %s', (_what, password, username) => {
    const lax = createJambonzUpgrade({ ...settings, webhookSecrets: [...settings.webhookSecrets, ''] });
    expect(lax.authorize(handshake(TARGET, password, username))).toEqual({ ok: false, reason: 'mismatch' });
  });

  test('without credentials, with others than Basic, and with an absolute address it is none', () => {
    const request = handshake(TARGET);
    const verdict = (authorization: string | string[] | undefined, target = TARGET) => {
      const result = upgrade.authorize({ ...request, target, headers: { authorization } });
      return result.ok ? 'ok' : result.reason;
    };
    expect([undefined, '', []].map((header) => verdict(header))).toEqual(['missing', 'missing', 'missing']);
    for (const header of [
      'Bearer x',
      'Basic',
      'Basic ',
      'Basic é',
      `Basic ${'A'.repeat(300)}`,
      ['Basic QQ=='],
    ])
      expect(verdict(header), String(header)).toBe('malformed');
    expect(verdict('Basic QQ==', `https://gw.example.com${TARGET}`)).toBe('malformed');
    expect(upgrade.refusedStatus).toBe(401);
    expect(upgrade.subprotocols).toEqual(['audio.drachtio.org', 'audio.jambonz.org']);
  });
});

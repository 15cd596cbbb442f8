import plivo from 'plivo';
import { describe, expect, test } from 'vitest';
import { createPlivoUpgrade } from '../../../src/carriers/plivo/upgrade.ts';
import { handshake, PUBLIC_URL, settings } from './support.ts';

const TARGET = '/plivo/media/abc';

describe("Plivo's handshake", () => {
  const upgrade = createPlivoUpgrade(settings, PUBLIC_URL);

  test.each(['https', 'http', 'wss', 'ws'])(
    'signed in its %s form is accepted, with any of the tokens',
    (scheme) => {
      const url = `${scheme}://gw.example.com${TARGET}`;
      const request = handshake(TARGET, url);
      expect(upgrade.authorize(request)).toEqual({ ok: true });
      expect(upgrade.authorize(request)).toEqual({ ok: true });
      expect(upgrade.authorize(handshake(TARGET, url, 'older-token'))).toEqual({ ok: true });
      const { 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': nonce } = request.headers;
      expect(plivo.validateV3Signature('GET', url, `${nonce}`, settings.authTokens[0], `${signature}`)).toBe(
        true,
      );
    },
  );

  test.each([
    'https://gw.example.org/plivo/media/abc',
    'https://gw.example.com:8443/plivo/media/abc',
    'https://gw.example.com/plivo/media/abd',
    'https://gw.example.com/plivo/media/abc/',
    'https://gw.example.com/plivo/media/abc?a=1',
    'ftp://gw.example.com/plivo/media/abc',
  ])('signed as %s is refused', (url) => {
    expect(upgrade.authorize(handshake(TARGET, url))).toEqual({ ok: false, reason: 'mismatch' });
  });

  test('without a signature it is refused, unless signatures are only checked when present', () => {
    const bare = { ...handshake(TARGET), headers: {} };
    expect(upgrade.authorize(bare)).toEqual({ ok: false, reason: 'missing' });
    const lenient = createPlivoUpgrade({ ...settings, verifyStream: 'when-present' }, PUBLIC_URL);
    expect(lenient.authorize(bare)).toEqual({ ok: true });
    expect(lenient.authorize(handshake(TARGET, 'https://evil.example/plivo/media/abc')).ok).toBe(false);
    const garbage = { 'x-plivo-signature-v3': 'garbage', 'x-plivo-signature-v3-nonce': '1' };
    expect(lenient.authorize({ ...bare, headers: garbage })).toEqual({ ok: false, reason: 'malformed' });
  });

  test('keeps the port of PUBLIC_URL, and takes no absolute address', () => {
    const local = createPlivoUpgrade(settings, 'http://localhost:8080');
    expect(local.authorize(handshake(TARGET, `ws://localhost:8080${TARGET}`)).ok).toBe(true);
    expect(local.authorize(handshake(TARGET, `ws://localhost${TARGET}`)).ok).toBe(false);
    const url = `https://gw.example.com${TARGET}`;
    expect(upgrade.authorize(handshake(url, url))).toEqual({ ok: false, reason: 'malformed' });
    expect(upgrade.refusedStatus).toBe(403);
    expect(upgrade.subprotocols).toEqual([]);
  });
});

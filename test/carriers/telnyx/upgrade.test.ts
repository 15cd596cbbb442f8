import { describe, expect, test } from 'vitest';
import { streamBearer } from '../../../src/carriers/stream-bearer.ts';
import { AUTH_TOKEN_HEADER, createTelnyxUpgrade } from '../../../src/carriers/telnyx/upgrade.ts';
import { settings } from './support.ts';

const TARGET = '/telnyx/media/abc';
const upgrade = createTelnyxUpgrade(settings);

function verdict(shown: string | string[] | undefined, target = TARGET): string {
  const headers = shown === undefined ? {} : { [AUTH_TOKEN_HEADER]: shown };
  const verification = upgrade.authorize({ method: 'GET', target, headers, body: Buffer.alloc(0) });
  return verification.ok ? 'ok' : verification.reason;
}

describe("Telnyx's handshake", () => {
  test('without a token is left to the path token: the answer command takes none', () => {
    expect(verdict(undefined)).toBe('ok');
  });

  test('with a token is accepted when any of the keys made it for this path', () => {
    for (const key of settings.apiKeys) expect(verdict(streamBearer('telnyx', key, TARGET))).toBe('ok');
  });

  test('with any other token is refused', () => {
    const good = streamBearer('telnyx', settings.apiKeys[0], TARGET);
    expect(verdict(good, `${TARGET}d`)).toBe('mismatch');
    expect(verdict(streamBearer('signalwire', settings.apiKeys[0], TARGET))).toBe('mismatch');
    expect(verdict(streamBearer('telnyx', 'another', TARGET))).toBe('mismatch');
    expect(verdict(streamBearer('telnyx', '', TARGET))).toBe('mismatch');
    expect(verdict(good.toUpperCase())).toBe('mismatch');
    for (const shown of ['', 'x', `${good}0`, good.slice(1), 'é'.repeat(64)])
      expect(verdict(shown)).toBe('mismatch');
    expect(verdict([good, good])).toBe('malformed');
    expect(verdict(good, `https://gw.example.com${TARGET}`)).toBe('malformed');
  });

  test('an empty key makes no token that counts', () => {
    const open = createTelnyxUpgrade({ ...settings, apiKeys: [''] });
    const headers = { [AUTH_TOKEN_HEADER]: streamBearer('telnyx', '', TARGET) };
    expect(open.authorize({ method: 'GET', target: TARGET, headers, body: Buffer.alloc(0) }).ok).toBe(false);
  });
});

import { expect, test } from 'vitest';
import { createSignalwireUpgrade } from '../../../src/carriers/signalwire/upgrade.ts';
import { streamBearer } from '../../../src/carriers/stream-bearer.ts';
import { settings } from './support.ts';

const TARGET = '/signalwire/media/abc';
const upgrade = createSignalwireUpgrade(settings);
const bearer = streamBearer('signalwire', settings.signingKeys[0], TARGET);

function verdict(authorization: string | string[] | undefined, target = TARGET): string {
  const headers: Record<string, string | string[] | undefined> = { authorization };
  const verification = upgrade.authorize({ method: 'GET', target, headers, body: Buffer.alloc(0) });
  return verification.ok ? 'ok' : verification.reason;
}

test('a handshake with the bearer of its path is accepted, whichever of the keys made it', () => {
  for (const key of settings.signingKeys) {
    expect(verdict(`Bearer ${streamBearer('signalwire', key, TARGET)}`)).toBe('ok');
  }
  expect(verdict(`bearer  ${bearer}`)).toBe('ok');
});

test('any other handshake is refused', () => {
  expect(verdict(undefined)).toBe('missing');
  expect(verdict('')).toBe('missing');
  for (const header of [bearer, `Basic ${bearer}`, `Bearer ${bearer} x`, 'Bearer', [`Bearer ${bearer}`]]) {
    expect(verdict(header)).toBe('malformed');
  }
  expect(verdict(`Bearer ${bearer}`, `${TARGET}d`)).toBe('mismatch');
  expect(verdict(`Bearer ${bearer.toUpperCase()}`)).toBe('mismatch');
  for (const key of ['', 'another', settings.apiTokens[0]]) {
    expect(verdict(`Bearer ${streamBearer('signalwire', key, TARGET)}`)).toBe('mismatch');
  }
  expect(verdict(`Bearer ${streamBearer('telnyx', settings.signingKeys[0], TARGET)}`)).toBe('mismatch');
  expect(verdict(`Bearer ${bearer}`, `https://gw.example.com${TARGET}`)).toBe('malformed');
});

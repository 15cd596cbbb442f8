import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import { describe, expect, test } from 'vitest';
import { createTwilioUpgrade } from '../../../src/carriers/twilio/upgrade.ts';
import { PUBLIC_URL, settings } from './support.ts';

const TARGET = '/twilio/media/abc';

function handshake(signedUrl: string | null, target = TARGET, token: string = settings.authTokens[0]) {
  const headers =
    signedUrl === null ? {} : { 'x-twilio-signature': getExpectedTwilioSignature(token, signedUrl, {}) };
  return { method: 'GET', target, headers, body: Buffer.alloc(0) };
}

describe("Twilio's handshake", () => {
  const upgrade = createTwilioUpgrade(settings, PUBLIC_URL);

  test.each([
    'wss://gw.example.com/twilio/media/abc',
    'wss://gw.example.com/twilio/media/abc/',
    'wss://gw.example.com:443/twilio/media/abc',
    'wss://gw.example.com:443/twilio/media/abc/',
  ])('signed as %s is accepted, with any of the tokens', (url) => {
    expect(upgrade.authorize(handshake(url))).toEqual({ ok: true });
    expect(upgrade.authorize(handshake(url, `${TARGET}/`))).toEqual({ ok: true });
    expect(upgrade.authorize(handshake(url, TARGET, 'older-token'))).toEqual({ ok: true });
  });

  test.each([
    'https://gw.example.com/twilio/media/abc',
    'ws://gw.example.com/twilio/media/abc',
    'wss://gw.example.com:8443/twilio/media/abc',
    'wss://gw.example.org/twilio/media/abc',
    'wss://gw.example.com/twilio/media/abd',
    'wss://gw.example.com/twilio/media/abc//',
    'wss://gw.example.com/twilio/media',
  ])('signed as %s is refused', (url) => {
    expect(upgrade.authorize(handshake(url))).toEqual({ ok: false, reason: 'mismatch' });
  });

  test('on plain http for a loopback host the address is signed as ws', () => {
    const local = createTwilioUpgrade(settings, 'http://localhost:8080');
    expect(local.authorize(handshake('ws://localhost:8080/twilio/media/abc')).ok).toBe(true);
    expect(local.authorize(handshake('ws://localhost/twilio/media/abc')).ok).toBe(true);
    expect(local.authorize(handshake('wss://localhost:8080/twilio/media/abc')).ok).toBe(false);
  });

  test('without a signature it is refused, unless signatures are only checked when present', () => {
    expect(upgrade.authorize(handshake(null))).toEqual({ ok: false, reason: 'missing' });
    const lenient = createTwilioUpgrade({ ...settings, verifyStream: 'when-present' }, PUBLIC_URL);
    expect(lenient.authorize(handshake(null))).toEqual({ ok: true });
    expect(lenient.authorize(handshake('https://gw.example.com/twilio/media/abc')).ok).toBe(false);
    const garbage = { ...handshake(null), headers: { 'x-twilio-signature': 'garbage' } };
    expect(lenient.authorize(garbage)).toEqual({ ok: false, reason: 'malformed' });
  });

  test('with an absolute address is no handshake', () => {
    const url = 'wss://gw.example.com/twilio/media/abc';
    expect(upgrade.authorize(handshake(url, url))).toEqual({ ok: false, reason: 'malformed' });
    expect(upgrade.refusedStatus).toBe(403);
  });
});

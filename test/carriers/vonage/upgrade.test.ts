import { describe, expect, test } from 'vitest';
import { createVonageUpgrade } from '../../../src/carriers/vonage/upgrade.ts';
import { handshake, NOW_SECONDS, parts, SECRETS, settings } from './support.ts';

const PATH = '/vonage/media/abc';

describe("Vonage's handshake", () => {
  test('is let in with a token of any of the secrets; what else the token says is not documented', () => {
    const upgrade = createVonageUpgrade(settings, parts().gate);
    expect(upgrade.refusedStatus).toBe(401);
    expect(upgrade.subprotocols).toEqual([]);
    expect(upgrade.incoming).toBeUndefined();
    expect(upgrade.authorize(handshake(PATH))).toEqual({ ok: true });
    expect(upgrade.authorize(handshake(PATH, {}, SECRETS[1]))).toEqual({ ok: true });
    expect(upgrade.authorize(handshake(PATH, { application_id: undefined, jti: undefined }))).toEqual({
      ok: true,
    });
    expect(upgrade.authorize(handshake(PATH, { payload_hash: 'whatever' }))).toEqual({ ok: true });
  });

  test('may be tried again with the same token, on the same path only', () => {
    const upgrade = createVonageUpgrade(settings, parts().gate);
    const request = handshake(PATH);
    expect([upgrade.authorize(request).ok, upgrade.authorize(request).ok]).toEqual([true, true]);
    expect(upgrade.authorize({ ...request, target: '/vonage/media/abd' })).toEqual({
      ok: false,
      reason: 'mismatch',
    });
  });

  test('without a token it is refused, unless tokens are only checked when present', () => {
    const bare = { ...handshake(PATH), headers: {} };
    const strict = createVonageUpgrade(settings, parts().gate);
    expect(strict.authorize(bare)).toEqual({ ok: false, reason: 'missing' });
    const lenient = createVonageUpgrade({ ...settings, verifyStream: 'when-present' }, parts().gate);
    expect(lenient.authorize(bare)).toEqual({ ok: true });
    expect(lenient.authorize(handshake(PATH, {}, 'guessed')).ok).toBe(false);
    expect(lenient.authorize(handshake(PATH, { iat: NOW_SECONDS - 400 })).ok).toBe(false);
    expect(lenient.authorize({ ...bare, headers: { authorization: 'garbage' } }).ok).toBe(false);
  });
});

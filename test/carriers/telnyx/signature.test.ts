import fc from 'fast-check';
import { TelnyxWebhook } from 'telnyx/lib/webhooks.js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import { readPublicKeys, verifySignature } from '../../../src/carriers/telnyx/signature.ts';
import { keyPair, NOW_SECONDS, newest, older, signedPost } from './support.ts';

const keys = readPublicKeys([newest.publicKey, older.publicKey]);
const NOW_MS = NOW_SECONDS * 1000;

afterEach(() => {
  vi.useRealTimers();
});

/** What Telnyx's own package says of a request: it reads the real clock. */
async function sdkAccepts({ headers, body }: RawRequest, publicKey = newest.publicKey): Promise<boolean> {
  try {
    await new TelnyxWebhook(publicKey).verify(body.toString('utf8'), headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}
function ourVerdict(request: RawRequest, nowMs = NOW_MS): string {
  const verdict = verifySignature(request, keys, nowMs);
  return verdict.ok ? 'ok' : verdict.reason;
}

const body = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.webQueryParameters(),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.constantFrom('', '|', '1750000000|', '{"data":{"event_type":"call.initiated"}}', 'a=1&a=2&b=', '\r\n'),
);

describe("Telnyx's signature", () => {
  test('the vector computed with its package', () => {
    expect(newest.publicKey).toBe('6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=');
    const request: RawRequest = {
      method: 'POST',
      target: '/telnyx/voice',
      headers: {
        'telnyx-timestamp': '1750000000',
        'telnyx-signature-ed25519':
          'JVeE9ow4ck+Lio7SVCSs8Ms4RT0QcIsUCB5zdpwTZ1tkK/Ga+Ra+Ehx0TzpmTmO3wEROtavXC9qEsXdaP/NvCQ==',
      },
      body: Buffer.from('{"data":{"event_type":"call.initiated"}}'),
    };
    expect(ourVerdict(request)).toBe('ok');
  });

  test('two thousand requests, honest ones and spoilt ones: the same verdict as its package', async () => {
    vi.useFakeTimers({ now: NOW_MS, toFake: ['Date'] });
    const spoil = fc.constantFrom('nothing', 'nothing', 'body', 'time', 'signature', 'key', 'age', 'form');
    const counts = { accepted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(body, spoil, fc.integer({ min: 0, max: 700 }), async (text, what, n) => {
        const seconds = what === 'age' ? NOW_SECONDS - 350 + n : NOW_SECONDS;
        const honest = signedPost('/telnyx/voice', text, {
          seconds,
          ...(what === 'key' ? { pair: older } : {}),
        });
        const signature = honest.headers['telnyx-signature-ed25519'] as string;
        const headers = { ...honest.headers };
        if (what === 'time') headers['telnyx-timestamp'] = String(seconds + 1 + (n % 9));
        if (what === 'signature') headers['telnyx-signature-ed25519'] = otherCharacter(signature, n % 86);
        if (what === 'form') Object.assign(headers, FORMS[n % FORMS.length]);
        const spoilt = what === 'body' ? Buffer.concat([honest.body, Buffer.from(String(n))]) : honest.body;
        const request = { ...honest, headers, body: spoilt };
        const ours = verifySignature(request, keys.slice(0, 1), NOW_MS).ok;
        expect(ours, `${what} ${n}`).toBe(await sdkAccepts(request));
        counts[ours ? 'accepted' : 'refused'] += 1;
      }),
      { numRuns: 2000, seed: 20261 },
    );
    expect(counts.accepted).toBeGreaterThan(300);
    expect(counts.refused).toBeGreaterThan(300);
  });

  test('300 seconds either way are fresh, 301 are not', () => {
    const age = (seconds: number) => ourVerdict(signedPost('/', 'x', { seconds: NOW_SECONDS + seconds }));
    expect([-301, -300, 0, 300, 301].map(age)).toEqual(['stale', 'ok', 'ok', 'ok', 'stale']);
    expect(ourVerdict(signedPost('/', 'x', { seconds: '0' }))).toBe('stale');
  });

  test('an exact copy is let in again: Telnyx repeats its webhooks, and answers are given by call', () => {
    const request = signedPost('/telnyx/voice', 'x');
    expect([ourVerdict(request), ourVerdict(request), ourVerdict(request, NOW_MS + 200_000)]).toEqual([
      'ok',
      'ok',
      'ok',
    ]);
  });

  test('any of the configured keys verifies, another one does not', () => {
    expect(ourVerdict(signedPost('/', 'x', { pair: older }))).toBe('ok');
    expect(ourVerdict(signedPost('/', 'x', { pair: keyPair(9) }))).toBe('mismatch');
  });

  test('a key that is none verifies nothing, and does not stop the others', () => {
    expect(readPublicKeys(['', 'x', `${'A'.repeat(42)}==`, 'é'.repeat(44)])).toEqual([]);
    const some = readPublicKeys(['nonsense', older.publicKey]);
    expect(verifySignature(signedPost('/', 'x', { pair: older }), some, NOW_MS).ok).toBe(true);
    expect(verifySignature(signedPost('/', 'x'), [], NOW_MS).ok).toBe(false);
  });

  test('bytes are signed, not text: what is no UTF-8 counts as it is', () => {
    const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d]);
    const request = signedPost('/', bytes);
    expect(ourVerdict(request)).toBe('ok');
    expect(ourVerdict({ ...request, body: Buffer.from(bytes.toString('utf8')) })).toBe('mismatch');
  });

  test('a missing header is told from one that cannot be one', () => {
    const { headers } = signedPost('/', 'x');
    const verdicts = (name: string, values: (string | string[] | undefined)[]) =>
      values.map((value) => ourVerdict({ ...signedPost('/', 'x'), headers: { ...headers, [name]: value } }));
    expect(verdicts('telnyx-signature-ed25519', [undefined, '', [], ['a', 'b'], 'short'])).toEqual([
      'missing',
      'missing',
      'missing',
      'malformed',
      'malformed',
    ]);
    expect(
      verdicts('telnyx-timestamp', [undefined, '', ['1', '2'], '-1', '1e9', ' 1', '9'.repeat(16)]),
    ).toEqual(['missing', 'missing', ...Array(5).fill('malformed')]);
  });
});

/** Headers that are something else than a signature and a time. */
const FORMS: readonly Record<string, string>[] = [
  { 'telnyx-timestamp': '' },
  { 'telnyx-timestamp': `${NOW_SECONDS}.0` },
  { 'telnyx-timestamp': `+${NOW_SECONDS}` },
  { 'telnyx-signature-ed25519': '' },
  { 'telnyx-signature-ed25519': 'AAAA' },
  { 'telnyx-signature-ed25519': `${'A'.repeat(86)}==` },
  { 'telnyx-signature-ed25519': '-'.repeat(88) },
];

function otherCharacter(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

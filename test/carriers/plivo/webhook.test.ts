import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import plivo from 'plivo';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, RawRequest, RefusalReason } from '../../../src/carriers/carrier.ts';
import { createPlivoWebhook } from '../../../src/carriers/plivo/webhook.ts';
import {
  CALL,
  callForm,
  encodeForm,
  type Form,
  freshNonce,
  PUBLIC_URL,
  settings,
  sign,
  signedPost,
  world,
} from './support.ts';

const webhook = createPlivoWebhook(settings, PUBLIC_URL, world().dependencies.clock);
const call: IncomingCall = {
  carrier: 'plivo',
  callId: CALL,
  accountId: settings.authId,
  from: '+15551230001',
  to: '+15551230002',
  direction: 'inbound',
};

function parse(kind: 'voice' | 'after' | 'events', form: Form, query = '') {
  return webhook.parse(signedPost(`/plivo/${kind}${query}`, form), kind);
}

describe('a Plivo webhook is let in', () => {
  test('with a signature of any of the tokens, in either header', () => {
    expect(webhook.verify(signedPost('/plivo/voice', callForm()))).toEqual({ ok: true });
    expect(webhook.verify(signedPost('/plivo/voice', callForm(), { token: 'older-token' })).ok).toBe(true);
    const main = signedPost('/plivo/voice', callForm(), { header: 'x-plivo-signature-ma-v3' });
    expect(webhook.verify(main)).toEqual({ ok: true });
    expect(webhook.verify(signedPost('/plivo/voice', callForm(), { token: 'another' })).ok).toBe(false);
  });

  test.each<[string, Form, boolean]>([
    ['none', { AuthID: [], ParentAuthID: [] }, true],
    ['ours', { AuthID: settings.authId, ParentAuthID: [] }, true],
    ['a subaccount of ours', { AuthID: 'SA1', ParentAuthID: settings.authId }, true],
    ['another', { AuthID: 'MA2', ParentAuthID: [] }, false],
    ['another as the main one', { AuthID: [], ParentAuthID: 'MA2' }, false],
    ['two', { AuthID: [settings.authId, 'MA2'], ParentAuthID: [] }, false],
    ['an empty one', { AuthID: '', ParentAuthID: [] }, false],
  ])('by the account it names: %s', (_what, form, accepted) => {
    const verdict = webhook.verify(signedPost('/plivo/voice', callForm(form)));
    expect(verdict).toEqual(accepted ? { ok: true } : { ok: false, reason: 'mismatch' });
  });

  test('as GET with its fields in the query, whatever its body says', () => {
    const target = `/plivo/voice?${encodeForm(callForm())}`;
    const nonce = freshNonce();
    const request: RawRequest = {
      method: 'GET',
      target,
      headers: {
        'x-plivo-signature-v3': sign('GET', PUBLIC_URL + target, {}, nonce, 'newest-token'),
        'x-plivo-signature-v3-nonce': nonce,
      },
      body: Buffer.from('CallUUID=other'),
    };
    expect(webhook.verify(request)).toEqual({ ok: true });
    expect(webhook.parse(request, 'voice')).toEqual({ type: 'call-incoming', call });
  });

  test('again, as it was, for five minutes; not later, and its nonce never for anything else', () => {
    const outside = world();
    const port = createPlivoWebhook(settings, PUBLIC_URL, outside.dependencies.clock);
    const request = signedPost('/plivo/voice', callForm(), { nonce: 'n1' });
    const other = signedPost('/plivo/voice', callForm({ CallUUID: 'other' }), { nonce: 'n1' });
    const elsewhere = signedPost('/plivo/after', callForm(), { nonce: 'n1' });
    expect(port.verify(request)).toEqual({ ok: true });
    outside.time.nowMs = 300_000;
    expect(port.verify(request)).toEqual({ ok: true });
    expect(port.verify(other)).toEqual({ ok: false, reason: 'stale' });
    expect(port.verify(elsewhere)).toEqual({ ok: false, reason: 'stale' });
    outside.time.nowMs = 300_001;
    expect(port.verify(request)).toEqual({ ok: false, reason: 'stale' });
  });

  test('a nonce that came with a forgery is not used up by it', () => {
    const request = signedPost('/plivo/voice', callForm(), { nonce: 'n2' });
    const forged = { ...request, body: Buffer.from(`${request.body}&x=1`) };
    expect(webhook.verify(forged)).toEqual({ ok: false, reason: 'mismatch' });
    expect(webhook.verify(request)).toEqual({ ok: true });
  });

  test('with bounded memory: ten thousand nonces later the first is forgotten, the newest is not', () => {
    const port = createPlivoWebhook(settings, PUBLIC_URL, world().dependencies.clock);
    const form = callForm();
    for (let n = 0; n < 10_000; n += 1)
      expect(port.verify(signedPost('/plivo/events', form, { nonce: `m${n}` })).ok).toBe(true);
    const reuse = (nonce: string) => port.verify(signedPost('/plivo/voice', form, { nonce })).ok;
    expect([reuse('m0'), reuse('m9999')]).toEqual([true, false]);
  });

  test('never when it is forged: a thousand ways', () => {
    const honest = signedPost('/plivo/voice', callForm());
    const header = 'x-plivo-signature-v3';
    const withHeaders = (more: Record<string, string | string[] | undefined>): RawRequest => ({
      ...honest,
      headers: { ...honest.headers, ...more },
    });
    const accepted: string[] = [];
    for (let n = 0; n < 1000; n += 1) {
      const other = callForm({ CallUUID: `u${n}`, From: `1555${n}` });
      const ways: [string, RawRequest][] = [
        ['a guessed token', signedPost('/plivo/voice', other, { token: randomBytes(20).toString('hex') })],
        ['random bytes', withHeaders({ [header]: randomBytes(32).toString('base64') })],
        ['another body', { ...honest, body: Buffer.from(encodeForm(other)) }],
        ['a field more', { ...honest, body: Buffer.from(`${honest.body}&f${n}=1`) }],
        ['another path', { ...honest, target: `/plivo/voice${n}` }],
        ['a query', { ...honest, target: `/plivo/voice?a=${n}` }],
        ['another nonce', withHeaders({ [`${header}-nonce`]: `${n}` })],
        ['another host', signedPost('/plivo/voice', other, { url: `https://h${n}.example.com/plivo/voice` })],
        ['another scheme', signedPost('/plivo/voice', other, { url: 'http://gw.example.com/plivo/voice' })],
        ['as a GET', { ...honest, method: 'GET' }],
        ['no signature', withHeaders({ [header]: undefined })],
        ['an absolute address', { ...honest, target: PUBLIC_URL + honest.target }],
        ['an empty token', signedPost('/plivo/voice', other, { token: '' })],
      ];
      const [way, request] = ways[n % ways.length] as [string, RawRequest];
      if (webhook.verify(request).ok) accepted.push(`${n} ${way}`);
    }
    expect(accepted).toEqual([]);
  });

  test('Host and forwarded headers have no say', () => {
    const request = signedPost('/plivo/voice', callForm(), { url: 'https://evil.example/plivo/voice' });
    const headers = { ...request.headers, host: 'evil.example', 'x-forwarded-host': 'evil.example' };
    expect(webhook.verify({ ...request, headers })).toEqual({ ok: false, reason: 'mismatch' });
  });
});

describe('a Plivo webhook means', () => {
  test('a call, its numbers with the plus that bots are found by', () => {
    expect(parse('voice', callForm())).toEqual({ type: 'call-incoming', call });
    const odd = parse('voice', callForm({ From: 'sip:me@phone.plivo.com', To: '1001', AuthID: 'SA1' }));
    expect(odd).toMatchObject({ call: { from: 'sip:me@phone.plivo.com', to: '1001', accountId: 'SA1' } });
  });

  test('a call that we placed, with the reference we gave it', () => {
    const form = callForm({ Direction: 'outbound', CallStatus: 'in-progress' });
    expect(parse('voice', form, '?ref=dial-7')).toMatchObject({
      type: 'call-incoming',
      call: { direction: 'outbound', dialRef: 'dial-7' },
    });
    const inbound = parse('voice', callForm(), '?ref=dial-7');
    expect(inbound.type === 'call-incoming' && 'dialRef' in inbound.call).toBe(false);
    for (const query of ['', '?ref=', '?ref=a%20b', '?ref=a&ref=b']) {
      const event = parse('voice', form, query);
      expect(event.type === 'call-incoming' && 'dialRef' in event.call, query).toBe(false);
    }
  });

  test.each<[string, 'voice' | 'after' | 'events', Form, object]>([
    [
      'the end',
      'events',
      { Event: 'Hangup', CallStatus: 'completed' },
      { type: 'call-ended', status: 'completed' },
    ],
    [
      'an end that nobody answered',
      'events',
      { CallStatus: 'no-answer' },
      { type: 'call-ended', status: 'no-answer' },
    ],
    ['the end, asked at voice', 'voice', { CallStatus: 'completed' }, { type: 'call-ended' }],
    [
      'the end, asked at after',
      'after',
      { CallStatus: 'completed', DialStatus: 'completed' },
      { type: 'call-ended' },
    ],
    ['an answer', 'events', { CallStatus: 'in-progress' }, { type: 'call-answered' }],
    [
      'a person',
      'events',
      { Event: 'MachineDetection', Machine: 'false' },
      { type: 'call-answered', by: 'person' },
    ],
    [
      'a machine',
      'events',
      { Event: 'MachineDetection', Machine: 'true' },
      { type: 'call-answered', by: 'machine' },
    ],
    ['who knows', 'events', { Machine: 'maybe' }, { type: 'call-answered', by: 'unknown' }],
    ['ringing', 'events', { Event: 'Ring' }, { type: 'ignored' }],
    [
      'what comes next',
      'after',
      { CallStatus: 'in-progress' },
      { type: 'stream-continuation', callId: CALL },
    ],
    [
      'a transfer done',
      'after',
      { CallStatus: 'in-progress', DialStatus: 'completed' },
      { type: 'stream-continuation', transfer: 'answered' },
    ],
    [
      'a transfer in vain',
      'after',
      { CallStatus: 'in-progress', DialStatus: 'no-answer' },
      { type: 'stream-continuation', transfer: 'unanswered' },
    ],
    ['a stream that began', 'events', { Event: 'StartStream', StreamID: 's' }, { type: 'stream-started' }],
    ['the same in other words', 'events', { Event: 'started', StreamID: 's' }, { type: 'stream-started' }],
    ['a stream that ended', 'events', { Event: 'StopStream', StreamID: 's' }, { type: 'stream-stopped' }],
    [
      'a stream that failed',
      'events',
      { Event: 'DroppedStream', StatusReason: 'r'.repeat(900) },
      { type: 'stream-failed', detail: 'r'.repeat(200) },
    ],
    [
      'the same without a reason',
      'events',
      { Event: 'failed', StreamID: 's' },
      { type: 'stream-failed', detail: 'no reason given' },
    ],
    ['a stream that is slow', 'events', { Event: 'DegradedStream' }, { type: 'ignored' }],
  ])('%s', (_what, kind, form, wanted) => {
    expect(parse(kind, callForm(form))).toMatchObject(wanted);
  });

  test('nothing without an id that may go into an address', () => {
    for (const CallUUID of ['', 'a/b', '../x', 'x'.repeat(65), ['a', 'b']]) {
      expect(parse('voice', callForm({ CallUUID })).type).toBe('ignored');
    }
  });

  test('something, whatever bytes it is made of', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.string({ maxLength: 60 }),
        fc.constantFrom('voice', 'after', 'events'),
        fc.constantFrom('GET', 'POST', 'PUT', ''),
        (body, target, kind, method) => {
          const request = { method, target, headers: {}, body: Buffer.from(body) };
          expect(webhook.verify(request).ok).toBe(false);
          expect(typeof webhook.parse(request, kind).type).toBe('string');
        },
      ),
      { numRuns: 500, seed: 33 },
    );
  });
});

describe("Plivo is answered as Plivo's package writes it", () => {
  const declared = (xml: string) => `<?xml version="1.0" encoding="UTF-8"?>${xml}`;

  test('with the stream, and behind it the question what comes next', async () => {
    const wanted = plivo.Response();
    wanted.addStream('wss://gw.example.com/plivo/media/abc', {
      bidirectional: true,
      keepCallAlive: true,
      contentType: 'audio/x-mulaw;rate=8000',
      streamTimeout: 86400,
      statusCallbackUrl: `${PUBLIC_URL}/plivo/events`,
      statusCallbackMethod: 'POST',
      extraHeaders: 'from=15551230001,to=15551230002',
    });
    wanted.addRedirect(`${PUBLIC_URL}/plivo/after`, { method: 'POST' });
    const reply = await webhook.accept(call, '/plivo/media/abc');
    expect(reply).toEqual({
      status: 200,
      contentType: 'text/xml; charset=utf-8',
      body: declared(wanted.toXML()),
    });
    expect(await webhook.accept(call, '/plivo/media/abc')).toEqual(reply);
  });

  test('with the audio that was chosen', async () => {
    const types = await Promise.all(
      (['pcmu', 'l16@8000', 'l16@16000', 'l16@24000'] as const).map(async (audio) => {
        const port = createPlivoWebhook({ ...settings, audio }, PUBLIC_URL, world().dependencies.clock);
        return /contentType="([^"]*)"/.exec((await port.accept(call, '/x')).body)?.[1];
      }),
    );
    expect(types).toEqual([
      'audio/x-mulaw;rate=8000',
      'audio/x-l16;rate=8000',
      'audio/x-l16;rate=16000',
      'audio/x-l16;rate=24000',
    ]);
  });

  test('without particulars that Plivo would not take, nor markup of a caller', async () => {
    const from = '"><Dial>+1900</Dial>&';
    const { body } = await webhook.accept({ ...call, from, to: 'sip:a@b' }, '/plivo/media/abc');
    expect(body).not.toContain('extraHeaders');
    expect(body).not.toContain('Dial');
  });

  test.each([
    ['http://localhost:8080', 'ws://localhost:8080'],
    ['https://gw.example.com:8443', 'wss://gw.example.com:8443'],
  ])('with PUBLIC_URL %s the stream is at %s', async (publicUrl, origin) => {
    const port = createPlivoWebhook(settings, publicUrl, world().dependencies.clock);
    const { body } = await port.accept(call, '/plivo/media/abc');
    expect(body).toContain(`>${origin}/plivo/media/abc</Stream>`);
    expect(body).toContain(`>${publicUrl}/plivo/after</Redirect>`);
  });

  test('with a sentence of its own for every reason to refuse', async () => {
    const reasons: RefusalReason[] = ['busy', 'draining', 'no-bot', 'error'];
    const bodies = await Promise.all(
      reasons.map(async (reason) => (await webhook.reject(call, reason)).body),
    );
    expect(new Set(bodies).size).toBe(reasons.length);
    for (const body of bodies) {
      expect(body).toMatch(
        /<Response><Speak language="en-US">[A-Z][^<]{20,}<\/Speak><Hangup\/><\/Response>$/,
      );
    }
  });

  test('with a hang-up or a transfer that comes back to us', () => {
    const hangup = plivo.Response();
    hangup.addHangup({});
    expect(webhook.continueWith({ kind: 'hangup' }).body).toBe(declared(hangup.toXML()));
    for (const target of ['+15559990000', 'sip:desk@example.com;a=1']) {
      const transfer = plivo.Response();
      const dial = transfer.addDial({ action: `${PUBLIC_URL}/plivo/after`, method: 'POST', timeout: 30 });
      if (target.startsWith('sip:')) dial.addUser(target);
      else dial.addNumber('15559990000');
      expect(webhook.continueWith({ kind: 'transfer', target }).body).toBe(declared(transfer.toXML()));
    }
    expect(webhook.acknowledge()).toMatchObject({ status: 204, body: '' });
  });
});

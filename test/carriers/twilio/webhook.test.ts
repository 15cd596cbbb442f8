import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import VoiceResponse from 'twilio/lib/twiml/VoiceResponse.js';
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, RawRequest, RefusalReason } from '../../../src/carriers/carrier.ts';
import { createTwilioWebhook } from '../../../src/carriers/twilio/webhook.ts';
import { callForm, encodeForm, type Form, PUBLIC_URL, settings, signedPost } from './support.ts';

const webhook = createTwilioWebhook(settings, PUBLIC_URL);
const call: IncomingCall = {
  carrier: 'twilio',
  callId: 'CA5',
  accountId: settings.accountSid,
  from: '+15551230001',
  to: '+15551230002',
  direction: 'inbound',
};

function parse(kind: 'voice' | 'after' | 'events', form: Form) {
  return webhook.parse(signedPost(`/twilio/${kind}`, form), kind);
}

describe('a Twilio webhook is let in', () => {
  test('only with a signature of one of the tokens and the configured account', () => {
    expect(webhook.verify(signedPost('/twilio/voice', callForm()))).toEqual({ ok: true });
    expect(webhook.verify(signedPost('/twilio/voice', callForm(), { token: 'older-token' }))).toEqual({
      ok: true,
    });
    expect(webhook.verify(signedPost('/twilio/voice', callForm(), { token: 'another' })).ok).toBe(false);
  });

  test('not of another account, of none, or of two, although the signature is good', () => {
    const others: Form[] = [
      callForm({ AccountSid: 'AC00000000000000000000000000000002' }),
      { CallSid: 'CA5' },
      callForm({ AccountSid: [settings.accountSid, 'AC2'] }),
      callForm({ AccountSid: '' }),
    ];
    for (const form of others) {
      expect(webhook.verify(signedPost('/twilio/voice', form))).toEqual({ ok: false, reason: 'mismatch' });
    }
  });

  test('as GET with its fields in the query', () => {
    const target = `/twilio/voice?${encodeForm(callForm())}`;
    const signature = getExpectedTwilioSignature(settings.authTokens[0], PUBLIC_URL + target, {});
    const request: RawRequest = {
      method: 'GET',
      target,
      headers: { 'x-twilio-signature': signature },
      body: Buffer.from('CallSid=CA666'),
    };
    expect(webhook.verify(request)).toEqual({ ok: true });
    expect(webhook.parse(request, 'voice')).toEqual({ type: 'call-incoming', call });
  });

  test('never when it is forged: a thousand ways', () => {
    const honest = signedPost('/twilio/voice', callForm());
    const honestSignature = honest.headers['x-twilio-signature'] as string;
    const accepted: string[] = [];
    for (let n = 0; n < 1000; n += 1) {
      const [name, request] = forge(n, honest, honestSignature);
      if (webhook.verify(request).ok) accepted.push(`${n} ${name}`);
    }
    expect(accepted).toEqual([]);
  });

  /** What an attacker has: one honest request, our source, any bytes he likes, but no token. */
  function forge(n: number, honest: RawRequest, signature: string): [string, RawRequest] {
    const other = callForm({ CallSid: `CA${n}`, From: `+1555${n}` });
    const withSignature = (value: string | string[] | undefined): RawRequest => ({
      ...honest,
      headers: { ...honest.headers, 'x-twilio-signature': value },
    });
    switch (n % 10) {
      case 0:
        return ['guessed signature', withSignature(randomBytes(20).toString('base64'))];
      case 1:
        return ['signature over another body', { ...honest, body: Buffer.from(encodeForm(other)) }];
      case 2:
        return ['signature over another address', { ...honest, target: `/twilio/events?n=${n}` }];
      case 3:
        return ['guessed token', signedPost('/twilio/voice', other, { token: `token-${n}` })];
      case 4:
        return ['no signature', withSignature(n % 20 === 4 ? undefined : '')];
      case 5:
        return ['shortened signature', withSignature(signature.slice(0, n % 28))];
      case 6:
        return ['signature twice', withSignature([signature, randomBytes(20).toString('base64')])];
      case 7:
        return [
          'a field appended',
          { ...honest, body: Buffer.concat([honest.body, Buffer.from(`&x${n}=1`)]) },
        ];
      case 8:
        return ['empty key', signedPost('/twilio/voice', other, { token: '' })];
      default: {
        const body = Buffer.from(honest.body);
        const at = n % body.length;
        body[at] = (body[at] ?? 0) === 0x41 ? 0x42 : 0x41;
        return [`byte ${at} changed`, { ...honest, body }];
      }
    }
  }
});

describe('a Twilio webhook says', () => {
  test('who calls whom', () => {
    expect(parse('voice', callForm())).toEqual({ type: 'call-incoming', call });
    expect(parse('voice', callForm({ Direction: 'outbound-api', CallStatus: 'in-progress' }))).toEqual({
      type: 'call-incoming',
      call: { ...call, direction: 'outbound' },
    });
  });

  test.each(['completed', 'busy', 'failed', 'no-answer', 'canceled'])(
    'that a call ended (%s), at any address',
    (status) => {
      for (const kind of ['voice', 'after', 'events'] as const) {
        expect(parse(kind, callForm({ CallStatus: status }))).toEqual({
          type: 'call-ended',
          callId: 'CA5',
          status,
        });
      }
    },
  );

  test.each([
    [{ CallStatus: 'in-progress' }, { type: 'call-answered', callId: 'CA5' }],
    [{ CallStatus: 'answered' }, { type: 'call-answered', callId: 'CA5' }],
    [{ StreamEvent: 'stream-started' }, { type: 'stream-started', callId: 'CA5' }],
    [
      { StreamEvent: 'stream-stopped', CallStatus: 'completed' },
      { type: 'stream-stopped', callId: 'CA5' },
    ],
    [
      { StreamEvent: 'stream-error', StreamError: '31920 handshake' },
      { type: 'stream-failed', callId: 'CA5', detail: '31920 handshake' },
    ],
  ])('at events: %j', (fields, event) => {
    expect(parse('events', callForm(fields))).toEqual(event);
  });

  test.each([
    { CallStatus: 'ringing' },
    { CallStatus: 'queued' },
    { StreamEvent: 'x' },
    { CallSid: '' },
    { CallSid: ['a', 'b'] },
    { CallSid: '../x' },
  ])('nothing of interest at events: %j', (fields) => {
    expect(parse('events', callForm(fields as Form)).type).toBe('ignored');
  });

  test('that the stream ended and the call goes on, and how a transfer went', () => {
    const form = callForm({ CallStatus: 'in-progress' });
    expect(parse('after', form)).toEqual({ type: 'stream-continuation', callId: 'CA5' });
    for (const [dialled, transfer] of [
      ['completed', 'answered'],
      ['answered', 'answered'],
      ['busy', 'unanswered'],
      ['no-answer', 'unanswered'],
      ['failed', 'unanswered'],
      ['canceled', 'unanswered'],
    ] as const) {
      expect(parse('after', { ...form, DialCallStatus: dialled })).toEqual({
        type: 'stream-continuation',
        callId: 'CA5',
        transfer,
      });
    }
  });

  test('no more than fits: long addresses and errors are cut', () => {
    const event = parse('voice', callForm({ From: 'x'.repeat(60_000) }));
    expect(event.type === 'call-incoming' && event.call.from.length).toBe(255);
    const failed = parse(
      'events',
      callForm({ StreamEvent: 'stream-error', StreamError: 'x'.repeat(60_000) }),
    );
    expect(failed.type === 'stream-failed' && failed.detail.length).toBe(200);
  });

  test('nothing that makes it throw: any body, any address, any method', () => {
    const kinds = fc.constantFrom('voice' as const, 'after' as const, 'events' as const);
    const names = fc.constantFrom(
      'CallSid',
      'CallStatus',
      'StreamEvent',
      'DialCallStatus',
      'From',
      'Direction',
      '__proto__',
    );
    const bodies = fc.oneof(
      fc.uint8Array({ size: 'max', maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.tuple(names, fc.string({ unit: 'binary', maxLength: 50 })), { maxLength: 12 })
        .map((pairs) => Buffer.from(new URLSearchParams(pairs).toString())),
    );
    const request = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', ''),
      target: fc.string({ unit: 'binary', maxLength: 200 }),
      headers: fc.dictionary(
        fc.constantFrom('x-twilio-signature', 'content-type', 'host'),
        fc.string({ maxLength: 40 }),
      ),
      body: bodies,
    });
    fc.assert(
      fc.property(request, kinds, (given, kind) => {
        expect(webhook.verify(given).ok).toBe(false);
        expect(typeof webhook.parse(given, kind).type).toBe('string');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a Twilio webhook is answered', () => {
  test("as Twilio's own package writes the document that opens a stream", async () => {
    const wanted = new VoiceResponse();
    const stream = wanted.connect({ action: `${PUBLIC_URL}/twilio/after`, method: 'POST' }).stream({
      url: 'wss://gw.example.com/twilio/media/abc',
      statusCallback: `${PUBLIC_URL}/twilio/events`,
      statusCallbackMethod: 'POST',
    });
    stream.parameter({ name: 'from', value: call.from });
    stream.parameter({ name: 'to', value: call.to });
    const reply = await webhook.accept(call, '/twilio/media/abc');
    expect(reply).toEqual({ status: 200, contentType: 'text/xml; charset=utf-8', body: wanted.toString() });
    expect(await webhook.accept(call, '/twilio/media/abc')).toEqual(reply);
  });

  test.each([
    ['http://localhost:8080', 'ws://localhost:8080'],
    ['https://gw.example.com:8443', 'wss://gw.example.com:8443'],
    ['https://gw.example.com/', 'wss://gw.example.com'],
  ])('with PUBLIC_URL %s the stream is at %s', async (publicUrl, streamOrigin) => {
    const { body } = await createTwilioWebhook(settings, publicUrl).accept(call, '/twilio/media/abc');
    expect(body).toContain(`url="${streamOrigin}/twilio/media/abc"`);
    expect(body).toContain(`action="${new URL(publicUrl).origin}/twilio/after"`);
  });

  test('without letting a caller write markup or a parameter that is too long', async () => {
    const from = `"><Dial>+1900</Dial>&\u0000${'x'.repeat(900)}`;
    const { body } = await webhook.accept({ ...call, from }, '/twilio/media/abc');
    expect(body).not.toContain('<Dial>');
    const value = /name="from" value="([^"]*)"/.exec(body)?.[1] ?? '';
    expect(value.length).toBeGreaterThan(300);
    expect(value.length).toBeLessThan(500);
  });

  test('with a sentence of its own for every reason to refuse', async () => {
    const reasons: RefusalReason[] = ['busy', 'draining', 'no-bot', 'error'];
    const bodies = await Promise.all(
      reasons.map(async (reason) => (await webhook.reject(call, reason)).body),
    );
    expect(new Set(bodies).size).toBe(reasons.length);
    for (const body of bodies) {
      expect(body).toMatch(/<Response><Say language="en-US">[A-Z][^<]{20,}<\/Say><Hangup\/><\/Response>$/);
    }
  });

  test('with a hang-up or a transfer that comes back to us', () => {
    const hangup = new VoiceResponse();
    hangup.hangup();
    expect(webhook.continueWith({ kind: 'hangup' }).body).toBe(hangup.toString());
    for (const target of ['+15559990000', 'sip:desk@example.com;a=1']) {
      const transfer = new VoiceResponse();
      const dial = transfer.dial({ action: `${PUBLIC_URL}/twilio/after`, method: 'POST', timeout: 30 });
      if (target.startsWith('sip:')) dial.sip(target);
      else dial.number(target);
      expect(webhook.continueWith({ kind: 'transfer', target }).body).toBe(transfer.toString());
    }
  });

  test('without content for events', () => {
    expect(webhook.acknowledge()).toMatchObject({ status: 204, body: '' });
    expect(webhook.refusedStatus).toBe(403);
  });
});

import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, MediaFormat, RawRequest, RefusalReason } from '../../../src/carriers/carrier.ts';
import { REFUSAL_SENTENCES } from '../../../src/carriers/refusals.ts';
import { createSignalwireWebhook } from '../../../src/carriers/signalwire/webhook.ts';
import { streamBearer } from '../../../src/carriers/stream-bearer.ts';
import {
  CALL_ID,
  callForm,
  encodeForm,
  type Form,
  PUBLIC_URL,
  sdk,
  settings,
  signedPost,
} from './support.ts';

const { RestClient } = createRequire(import.meta.url)('@signalwire/compatibility-api');
const webhook = createSignalwireWebhook(settings, PUBLIC_URL);
const call: IncomingCall = {
  carrier: 'signalwire',
  callId: CALL_ID,
  accountId: settings.projectId,
  from: '+15551230001',
  to: '+15551230002',
  direction: 'inbound',
};

function parse(kind: 'voice' | 'after' | 'events', form: Form, target = `/signalwire/${kind}`) {
  return webhook.parse(signedPost(target, form), kind);
}

describe('a SignalWire webhook is let in', () => {
  test('only with a signature of one of the keys and the configured project', () => {
    expect(webhook.verify(signedPost('/signalwire/voice', callForm()))).toEqual({ ok: true });
    expect(webhook.verify(signedPost('/signalwire/voice', callForm(), { key: 'older-key' })).ok).toBe(true);
    const others: Form[] = [
      callForm({ AccountSid: '9f2e0000-0000-4000-8000-000000000002' }),
      { CallSid: CALL_ID },
      callForm({ AccountSid: [settings.projectId, 'x'] }),
      callForm({ AccountSid: '' }),
    ];
    for (const form of others) {
      expect(webhook.verify(signedPost('/signalwire/voice', form))).toEqual({
        ok: false,
        reason: 'mismatch',
      });
    }
  });

  test('as GET with its fields in the query', () => {
    const target = `/signalwire/voice?${encodeForm(callForm())}`;
    const signature = sdk.getExpectedTwilioSignature(settings.signingKeys[0], PUBLIC_URL + target, {});
    const request: RawRequest = {
      method: 'GET',
      target,
      headers: { 'x-signalwire-signature': signature },
      body: Buffer.from('CallSid=x'),
    };
    expect(webhook.verify(request)).toEqual({ ok: true });
    expect(webhook.parse(request, 'voice')).toEqual({ type: 'call-incoming', call });
    expect(webhook.verify({ ...request, target: `${target}0` }).ok).toBe(false);
  });

  test('never when it is forged: a thousand ways', () => {
    const honest = signedPost('/signalwire/voice', callForm());
    const accepted: string[] = [];
    for (let n = 0; n < 1000; n += 1) {
      const [name, request] = forge(n, honest);
      if (webhook.verify(request).ok) accepted.push(`${n} ${name}`);
    }
    expect(accepted).toEqual([]);
  });

  /** What an attacker has: one honest request, our source, any bytes he likes, but no key. */
  function forge(n: number, honest: RawRequest): [string, RawRequest] {
    const other = callForm({ CallSid: `c-${n}`, From: `+1555${n}` });
    const signature = honest.headers['x-signalwire-signature'] as string;
    const withSignature = (value: string | string[] | undefined): RawRequest => ({
      ...honest,
      headers: { 'x-signalwire-signature': value },
    });
    switch (n % 10) {
      case 0:
        return ['guessed', withSignature(randomBytes(20).toString('base64'))];
      case 1:
        return ['over another body', { ...honest, body: Buffer.from(encodeForm(other)) }];
      case 2:
        return ['over another address', { ...honest, target: `/signalwire/events?n=${n}` }];
      case 3:
        return ['guessed key', signedPost('/signalwire/voice', other, { key: `key-${n}` })];
      case 4:
        return ['none', withSignature(n % 20 === 4 ? undefined : '')];
      case 5:
        return ['shortened', withSignature(signature.slice(0, n % 28))];
      case 6:
        return ['twice', withSignature([signature, signature])];
      case 7:
        return ['a field more', { ...honest, body: Buffer.concat([honest.body, Buffer.from(`&x${n}=1`)]) }];
      case 8:
        return ['empty key', signedPost('/signalwire/voice', other, { key: '' })];
      default: {
        const body = Buffer.from(honest.body);
        const at = n % body.length;
        body[at] = (body[at] ?? 0) === 0x41 ? 0x42 : 0x41;
        return [`byte ${at} changed`, { ...honest, body }];
      }
    }
  }
});

describe('a SignalWire webhook says', () => {
  test('who calls whom', () => {
    expect(parse('voice', callForm())).toEqual({ type: 'call-incoming', call });
  });

  test('which of our calls it is that was answered', () => {
    const placed = callForm({ Direction: 'outbound-api', CallStatus: 'in-progress' });
    const outbound = { ...call, direction: 'outbound' };
    expect(parse('voice', placed, '/signalwire/voice?ref=r-1_A')).toEqual({
      type: 'call-incoming',
      call: { ...outbound, dialRef: 'r-1_A' },
    });
    for (const query of ['', '?ref=', '?ref=a%20b', '?ref=a&ref=b', `?ref=${'x'.repeat(65)}`]) {
      expect(parse('voice', placed, `/signalwire/voice${query}`)).toEqual({
        type: 'call-incoming',
        call: outbound,
      });
    }
    expect(parse('voice', callForm(), '/signalwire/voice?ref=r1')).toEqual({ type: 'call-incoming', call });
  });

  test.each(['completed', 'busy', 'failed', 'no-answer', 'canceled'])(
    'that a call ended (%s), at any address',
    (status) => {
      for (const kind of ['voice', 'after', 'events'] as const) {
        expect(parse(kind, callForm({ CallStatus: status }))).toEqual({
          type: 'call-ended',
          callId: CALL_ID,
          status,
        });
      }
    },
  );

  test.each([
    [{ CallStatus: 'in-progress' }, { type: 'call-answered' }],
    [{ AnsweredBy: 'human' }, { type: 'call-answered', by: 'person' }],
    [{ AnsweredBy: 'machine_end_beep' }, { type: 'call-answered', by: 'machine' }],
    [{ AnsweredBy: 'fax' }, { type: 'call-answered', by: 'machine' }],
    [
      { AnsweredBy: 'unknown', CallStatus: 'in-progress' },
      { type: 'call-answered', by: 'unknown' },
    ],
    [{ StreamEvent: 'stream-started' }, { type: 'stream-started' }],
    [{ StreamEvent: 'stream-stopped', CallStatus: 'completed' }, { type: 'stream-stopped' }],
    [
      { StreamEvent: 'stream-error', StreamError: 'refused' },
      { type: 'stream-failed', detail: 'refused' },
    ],
  ])('at events: %j', (fields, event) => {
    expect(parse('events', callForm(fields as Form))).toEqual({ callId: CALL_ID, ...event });
  });

  test.each([
    { CallStatus: 'ringing' },
    { StreamEvent: 'x' },
    { CallSid: '' },
    { CallSid: ['a', 'b'] },
    { CallSid: '../x' },
  ])('nothing of interest at events: %j', (fields) => {
    expect(parse('events', callForm(fields as Form)).type).toBe('ignored');
  });

  test('that the stream ended and the call goes on, and how a transfer went', () => {
    const form = callForm({ CallStatus: 'in-progress' });
    expect(parse('after', form)).toEqual({ type: 'stream-continuation', callId: CALL_ID });
    for (const [dialled, transfer] of [
      ['completed', 'answered'],
      ['answered', 'answered'],
      ['busy', 'unanswered'],
      ['no-answer', 'unanswered'],
      ['failed', 'unanswered'],
      ['canceled', 'unanswered'],
    ] as const) {
      expect(parse('after', { ...form, DialCallStatus: dialled })).toMatchObject({
        callId: CALL_ID,
        transfer,
      });
    }
  });

  test('nothing that makes it throw: any body, any address, any method', () => {
    const kinds = fc.constantFrom('voice' as const, 'after' as const, 'events' as const);
    const names = fc.constantFrom(
      'CallSid',
      'CallStatus',
      'StreamEvent',
      'DialCallStatus',
      'From',
      '__proto__',
    );
    const request = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', ''),
      target: fc.string({ unit: 'binary', maxLength: 200 }),
      headers: fc.dictionary(
        fc.constantFrom('x-signalwire-signature', 'x-twilio-signature', 'host'),
        fc.string({ maxLength: 40 }),
      ),
      body: fc.oneof(
        fc.uint8Array({ size: 'max', maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
        fc
          .array(fc.tuple(names, fc.string({ unit: 'binary', maxLength: 50 })), { maxLength: 12 })
          .map((pairs) => Buffer.from(new URLSearchParams(pairs).toString())),
      ),
    });
    fc.assert(
      fc.property(request, kinds, (given, kind) => {
        expect(webhook.verify(given).ok).toBe(false);
        expect(typeof webhook.parse(given, kind).type).toBe('string');
      }),
      { numRuns: 1000, seed: 22 },
    );
  });
});

describe('a SignalWire webhook is answered', () => {
  test.each([
    [{ encoding: 'pcmu', sampleRate: 8000 }, 'PCMU@8000h'],
    [{ encoding: 'l16', sampleRate: 16000 }, 'L16@16000h'],
    [{ encoding: 'l16', sampleRate: 24000 }, 'L16@24000h'],
  ] as [MediaFormat, string][])(
    'as its own package writes the document that opens a stream in %j',
    async (audio, codec) => {
      const wanted = new RestClient.LaML.VoiceResponse();
      const after = `${PUBLIC_URL}/signalwire/after`;
      const stream = wanted.connect({ action: after, method: 'POST' }).stream({
        url: 'wss://gw.example.com/signalwire/media/abc',
        codec,
        authBearerToken: streamBearer('signalwire', 'newest-key', '/signalwire/media/abc'),
        statusCallback: `${PUBLIC_URL}/signalwire/events`,
        statusCallbackMethod: 'POST',
      });
      stream.parameter({ name: 'from', value: call.from });
      stream.parameter({ name: 'to', value: call.to });
      wanted.redirect({ method: 'POST' }, after);
      const port = createSignalwireWebhook({ ...settings, audio }, PUBLIC_URL);
      const reply = await port.accept(call, '/signalwire/media/abc');
      expect(reply).toEqual({ status: 200, contentType: 'text/xml; charset=utf-8', body: wanted.toString() });
      expect(await port.accept(call, '/signalwire/media/abc')).toEqual(reply);
    },
  );

  test('without letting a caller write markup or a parameter that is too long', async () => {
    const from = `"><Dial>+1900</Dial>&\u0000${'x'.repeat(900)}`;
    const { body } = await webhook.accept({ ...call, from }, '/signalwire/media/abc');
    expect(body).not.toContain('<Dial>');
    expect(/name="from" value="([^"]*)"/.exec(body)?.[1]?.length ?? 0).toBeLessThan(500);
  });

  test('on plain http for a loopback host the stream is at ws://', async () => {
    const local = createSignalwireWebhook(settings, 'http://localhost:8080');
    const { body } = await local.accept(call, '/signalwire/media/abc');
    expect(body).toContain('url="ws://localhost:8080/signalwire/media/abc"');
  });

  test('with a sentence of its own for every reason to refuse', async () => {
    const reasons: RefusalReason[] = ['busy', 'draining', 'no-bot', 'error'];
    for (const reason of reasons) {
      const { body } = await webhook.reject(call, reason);
      expect(body).toContain(`>${REFUSAL_SENTENCES[reason]}</Say><Hangup/></Response>`);
    }
  });

  test('with a hang-up or a transfer that comes back to us', () => {
    const hangup = new RestClient.LaML.VoiceResponse();
    hangup.hangup();
    expect(webhook.continueWith({ kind: 'hangup' }).body).toBe(hangup.toString());
    for (const target of ['+15559990000', 'sip:desk@example.com;a=1']) {
      const transfer = new RestClient.LaML.VoiceResponse();
      const dial = transfer.dial({ action: `${PUBLIC_URL}/signalwire/after`, method: 'POST', timeout: 30 });
      if (target.startsWith('sip:')) dial.sip({}, target);
      else dial.number({}, target);
      expect(webhook.continueWith({ kind: 'transfer', target }).body).toBe(transfer.toString());
    }
    expect(webhook.acknowledge()).toMatchObject({ status: 204, body: '' });
  });
});

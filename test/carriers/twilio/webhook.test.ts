import VoiceResponse from 'twilio/lib/twiml/VoiceResponse.js';
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, RawRequest, RefusalReason } from '../../../src/carriers/carrier.ts';
import { createTwilioWebhook } from '../../../src/carriers/twilio/webhook.ts';
import { formWebhookRules } from '../form-webhook-rules.ts';
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
});

formWebhookRules({
  webhook,
  call,
  callForm,
  signed: (target, form, secret) => signedPost(target, form, secret === undefined ? {} : { token: secret }),
  signatureHeader: 'x-twilio-signature',
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

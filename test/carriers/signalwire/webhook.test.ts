import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, MediaFormat, RawRequest, RefusalReason } from '../../../src/carriers/carrier.ts';
import { REFUSAL_SENTENCES } from '../../../src/carriers/refusals.ts';
import { createSignalwireWebhook } from '../../../src/carriers/signalwire/webhook.ts';
import { streamBearer } from '../../../src/carriers/stream-bearer.ts';
import { formWebhookRules } from '../form-webhook-rules.ts';
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
});

formWebhookRules({
  webhook,
  call,
  callForm,
  signed: (target, form, secret) => signedPost(target, form, secret === undefined ? {} : { key: secret }),
  signatureHeader: 'x-signalwire-signature',
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

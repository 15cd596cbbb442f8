import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, RawRequest, RefusalReason, WebhookEvent } from '../../../src/carriers/carrier.ts';
import { REFUSAL_SENTENCES } from '../../../src/carriers/refusals.ts';
import { createTelnyxAdapter } from '../../../src/carriers/telnyx/adapter.ts';
import type { TelnyxSettings } from '../../../src/carriers/telnyx/settings.ts';
import {
  CALL_ID,
  callEvent,
  fakeApi,
  keyPair,
  NOW_SECONDS,
  PUBLIC_URL,
  settings,
  signedPost,
  texmlForm,
} from './support.ts';

function webhookOf(over: Partial<TelnyxSettings> = {}, publicUrl = PUBLIC_URL) {
  const { webhook } = createTelnyxAdapter({ ...settings, ...over }, publicUrl, fakeApi().dependencies);
  if (webhook === null) throw new Error('building Telnyx: found no webhook, wanted one');
  return webhook;
}
const webhook = webhookOf();
const state = (text: string) => Buffer.from(text).toString('base64');

function says(type: string, payload: object = {}): WebhookEvent {
  return webhook.parse(signedPost('/telnyx/voice', callEvent(type, payload)), 'voice');
}
function form(kind: 'voice' | 'after' | 'events', more: Record<string, string>): WebhookEvent {
  return webhook.parse(signedPost(`/telnyx/${kind}`, texmlForm(more)), kind);
}

const call: IncomingCall = {
  carrier: 'telnyx',
  callId: CALL_ID,
  accountId: null,
  from: '+15551230001',
  to: '+15551230002',
  direction: 'inbound',
};

describe('a Telnyx webhook is let in', () => {
  test('whichever kind of application sent it', () => {
    expect(webhook.verify(signedPost('/telnyx/voice', callEvent('call.initiated')))).toEqual({ ok: true });
    expect(webhook.verify(signedPost('/telnyx/voice', texmlForm()))).toEqual({ ok: true });
  });

  test('not as a GET: its query would not be signed', () => {
    const honest = signedPost('/telnyx/voice', '');
    for (const method of ['GET', 'get', 'PUT', '']) {
      expect(webhook.verify({ ...honest, method, target: `/telnyx/voice?${texmlForm()}` })).toEqual({
        ok: false,
        reason: 'malformed',
      });
    }
    expect(webhook.parse({ ...honest, target: `/telnyx/voice?${texmlForm()}` }, 'voice').type).toBe(
      'ignored',
    );
  });

  test('never when it is forged: a thousand ways', () => {
    const honest = signedPost('/telnyx/voice', callEvent('call.initiated', { direction: 'incoming' }));
    const accepted: string[] = [];
    for (let n = 0; n < 1000; n += 1) {
      const [name, request] = forge(n, honest);
      if (webhook.verify(request).ok) accepted.push(`${n} ${name}`);
    }
    expect(accepted).toEqual([]);
  });

  /** What an attacker has: one honest request, our source, the public key, any bytes he likes, but no private key. */
  function forge(n: number, honest: RawRequest): [string, RawRequest] {
    const other = callEvent('call.initiated', { call_control_id: `v3:${n}`, direction: 'incoming' });
    const signature = honest.headers['telnyx-signature-ed25519'] as string;
    const withHeaders = (over: RawRequest['headers']): RawRequest => ({
      ...honest,
      headers: { ...honest.headers, ...over },
    });
    switch (n % 9) {
      case 0:
        return ['guessed', withHeaders({ 'telnyx-signature-ed25519': randomBytes(64).toString('base64') })];
      case 1:
        return ['over another body', { ...honest, body: Buffer.from(other) }];
      case 2:
        return ['over another time', withHeaders({ 'telnyx-timestamp': String(NOW_SECONDS - 1 - n) })];
      case 3:
        return ['a key of his own', signedPost('/telnyx/voice', other, { pair: keyPair(10 + (n % 200)) })];
      case 4:
        return ['none', withHeaders({ 'telnyx-signature-ed25519': n % 18 === 4 ? undefined : '' })];
      case 5:
        return ['shortened', withHeaders({ 'telnyx-signature-ed25519': signature.slice(0, n % 88) })];
      case 6:
        return ['twice', withHeaders({ 'telnyx-signature-ed25519': [signature, signature] })];
      case 7: {
        // The bar between time and body moved: the same bytes are signed.
        const stamp = String(NOW_SECONDS);
        const cut = 1 + (n % 8);
        const body = Buffer.concat([Buffer.from(`${stamp.slice(cut)}|`), honest.body]);
        return ['bar moved', { ...withHeaders({ 'telnyx-timestamp': stamp.slice(0, cut) }), body }];
      }
      default: {
        const body = Buffer.from(honest.body);
        const at = n % body.length;
        body[at] = (body[at] ?? 0) === 0x41 ? 0x42 : 0x41;
        return [`byte ${at} changed`, { ...honest, body }];
      }
    }
  }
});

describe('a Call Control event says', () => {
  test('who calls whom', () => {
    expect(says('call.initiated', { direction: 'incoming', state: 'parked' })).toEqual({
      type: 'call-incoming',
      call,
    });
  });

  test('nothing of a call that is being placed, until it is answered: then it wants a stream', () => {
    const client_state = state('offhook dial ref-7_A');
    const placed = { direction: 'outgoing', client_state };
    expect(says('call.initiated', placed).type).toBe('ignored');
    expect(says('call.answered', placed)).toEqual({
      type: 'call-incoming',
      call: { ...call, direction: 'outbound', dialRef: 'ref-7_A' },
    });
    expect(says('call.hangup', { ...placed, hangup_cause: 'no_answer' })).toEqual({
      type: 'call-ended',
      callId: CALL_ID,
      status: 'no_answer',
    });
  });

  test('that a call which came in was answered: no second call', () => {
    expect(says('call.answered')).toEqual({ type: 'call-answered', callId: CALL_ID });
    for (const other of [state('offhook dial '), state('offhook dial a b'), 'aGk=', '%%%', 5, state('x')]) {
      expect(says('call.answered', { client_state: other }).type, String(other)).toBe('call-answered');
    }
  });

  test.each([
    ['human', 'person'],
    ['human_residence', 'person'],
    ['human_business', 'person'],
    ['machine', 'machine'],
    ['fax_detected', 'machine'],
    ['not_sure', 'unknown'],
    ['silence', 'unknown'],
    [undefined, 'unknown'],
  ])('who answered: %s is a %s', (result, by) => {
    for (const kind of ['call.machine.detection.ended', 'call.machine.premium.detection.ended']) {
      expect(says(kind, { result })).toEqual({ type: 'call-answered', callId: CALL_ID, by });
    }
  });

  test.each([
    ['call.hangup', { hangup_cause: 'normal_clearing' }, { type: 'call-ended', status: 'normal_clearing' }],
    ['call.hangup', { hangup_cause: 'Robert"; --' }, { type: 'call-ended', status: 'unspecified' }],
    ['streaming.started', {}, { type: 'stream-started' }],
    ['streaming_started', {}, { type: 'stream-started' }],
    ['streaming.stopped', {}, { type: 'stream-stopped' }],
    ['streaming.failed', { failure_reason: '403' }, { type: 'stream-failed', detail: '403' }],
    ['streaming_failed', {}, { type: 'stream-failed', detail: 'no reason given' }],
    ['call_hangup', { hangup_cause: 'timeout' }, { type: 'call-ended', status: 'timeout' }],
  ])('%s %j', (type, payload, event) => {
    expect(says(type, payload)).toEqual({ callId: CALL_ID, ...event });
  });

  test.each([
    ['timeout', 'unanswered'],
    ['user_busy', 'unanswered'],
    ['call_rejected', 'unanswered'],
    ['not_found', 'unanswered'],
    ['no_answer', 'unanswered'],
    ['unspecified', 'unanswered'],
    ['normal_clearing', 'answered'],
    ['time_limit', 'answered'],
  ])('that a transfer ended with %s: %s, for the leg of the caller', (hangup_cause, transfer) => {
    const otherLeg = { call_control_id: 'v3:other', client_state: state(`offhook transfer ${CALL_ID}`) };
    for (const type of ['call.initiated', 'call.answered', 'call.bridged', 'streaming.stopped']) {
      expect(says(type, { ...otherLeg, direction: 'incoming' }).type, type).toBe('ignored');
    }
    expect(says('call.hangup', { ...otherLeg, hangup_cause })).toEqual({
      type: 'stream-continuation',
      callId: CALL_ID,
      transfer,
    });
  });

  test('nothing of interest otherwise', () => {
    for (const type of ['call.bridged', 'call.speak.ended', 'call.cost', '', 'constructor']) {
      expect(says(type).type).toBe('ignored');
    }
    for (const id of [undefined, '', 5, '../x', 'v3:a b', `v3:${'x'.repeat(200)}`]) {
      expect(says('call.hangup', { call_control_id: id }).type, String(id)).toBe('ignored');
    }
  });

  test('no more than fits', () => {
    const event = says('call.initiated', { direction: 'incoming', from: 'x'.repeat(60_000) });
    expect(event.type === 'call-incoming' && event.call.from.length).toBe(255);
    const failed = says('streaming.failed', { failure_reason: 'x'.repeat(60_000) });
    expect(failed.type === 'stream-failed' && failed.detail.length).toBe(200);
  });
});

describe('a TeXML request says', () => {
  test('who calls whom, and that it wants a document: it names an account, Call Control never does', () => {
    const account = '19a75cea-02c6-4b9a-84fa-c9bc8341feb8';
    expect(form('voice', {})).toEqual({ type: 'call-incoming', call: { ...call, accountId: account } });
    const unnamed = texmlForm().replace(/&AccountSid=[^&]*/, '');
    expect(webhook.parse(signedPost('/telnyx/voice', unnamed), 'voice')).toMatchObject({
      call: { accountId: 'texml' },
    });
  });

  test.each([
    ['events', { CallStatus: 'completed' }, { type: 'call-ended', status: 'completed' }],
    ['events', { CallStatus: 'in-progress' }, { type: 'call-answered' }],
    ['events', { AnsweredBy: 'machine_start' }, { type: 'call-answered', by: 'machine' }],
    ['events', { StreamEvent: 'stream-started' }, { type: 'stream-started' }],
    ['events', { StreamEvent: 'stream-stopped' }, { type: 'stream-stopped' }],
    ['events', { StreamEvent: 'stream-failed' }, { type: 'stream-failed', detail: 'no reason given' }],
    ['after', { CallStatus: 'in-progress' }, { type: 'stream-continuation' }],
    [
      'after',
      { CallStatus: 'in-progress', DialCallStatus: 'no-answer' },
      { type: 'stream-continuation', transfer: 'unanswered' },
    ],
    [
      'after',
      { CallStatus: 'in-progress', DialCallStatus: 'completed' },
      { type: 'stream-continuation', transfer: 'answered' },
    ],
    ['after', { CallStatus: 'completed' }, { type: 'call-ended', status: 'completed' }],
  ] as const)('at %s: %j', (kind, fields, event) => {
    expect(form(kind, fields)).toEqual({ callId: CALL_ID, ...event });
  });
});

test('nothing that comes in makes it throw: any body, any address, any method', () => {
  const kinds = fc.constantFrom('voice' as const, 'after' as const, 'events' as const);
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(CALL_ID, 'incoming', 'call.initiated', null, {}, []),
  );
  const json = fc
    .record(
      {
        data: fc.oneof(
          fc.jsonValue(),
          fc.record({
            event_type: fc.oneof(value, fc.constantFrom('call.answered', 'call.hangup', 'streaming.failed')),
            payload: fc.dictionary(
              fc.constantFrom(
                'call_control_id',
                'client_state',
                'direction',
                'from',
                'hangup_cause',
                'result',
              ),
              value,
            ),
          }),
        ),
      },
      { requiredKeys: [] },
    )
    .map((message) => Buffer.from(JSON.stringify(message)));
  const bodies = fc.oneof(
    fc.uint8Array({ size: 'max', maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([Buffer.from('{'), bytes])),
    json,
  );
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', ''),
    target: fc.string({ unit: 'binary', maxLength: 100 }),
    headers: fc.dictionary(
      fc.constantFrom('telnyx-signature-ed25519', 'telnyx-timestamp'),
      fc.string({ maxLength: 90 }),
    ),
    body: bodies,
  });
  fc.assert(
    fc.property(request, kinds, (given, kind) => {
      expect(webhook.verify(given).ok).toBe(false);
      expect(typeof webhook.parse(given, kind).type).toBe('string');
    }),
    { numRuns: 1500, seed: 5 },
  );
});

describe('a TeXML request is answered', () => {
  const texmlCall = { ...call, accountId: 'a1' };

  test('with a stream in RTP mode, and with a way back to us', async () => {
    const reply = await webhook.accept(texmlCall, '/telnyx/media/abc');
    expect(reply).toMatchObject({ status: 200, contentType: 'text/xml; charset=utf-8' });
    expect(reply.body).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="wss://gw.example.com/telnyx/media/abc"' +
        ' track="inbound_track" codec="PCMU" bidirectionalMode="rtp" bidirectionalCodec="PCMU"' +
        ' bidirectionalSamplingRate="8000" statusCallback="https://gw.example.com/telnyx/events"' +
        ' statusCallbackMethod="POST"><Parameter name="from" value="+15551230001"/>' +
        '<Parameter name="to" value="+15551230002"/></Stream></Connect>' +
        '<Redirect method="POST">https://gw.example.com/telnyx/after</Redirect></Response>',
    );
  });

  test('with the audio that was chosen', async () => {
    const audio = { encoding: 'l16', sampleRate: 16000 } as const;
    const { body } = await webhookOf({ audio }).accept(texmlCall, '/x');
    expect(body).toContain('codec="L16" bidirectionalMode="rtp" bidirectionalCodec="L16"');
    expect(body).toContain('bidirectionalSamplingRate="16000"');
  });

  test('without letting a caller write markup', async () => {
    const from = `"><Dial>+1900</Dial>&\u0000${'x'.repeat(900)}`;
    const { body } = await webhook.accept({ ...texmlCall, from }, '/telnyx/media/abc');
    expect(body).not.toContain('<Dial>');
    expect(/name="from" value="([^"]*)"/.exec(body)?.[1]?.length ?? 0).toBeLessThan(500);
  });

  test('on plain http for a loopback host the stream is at ws://', async () => {
    const { body } = await webhookOf({}, 'http://localhost:8080').accept(texmlCall, '/telnyx/media/abc');
    expect(body).toContain('url="ws://localhost:8080/telnyx/media/abc"');
    expect(body).toContain('http://localhost:8080/telnyx/after');
  });

  test('with a sentence of its own for every reason to refuse', async () => {
    const reasons: RefusalReason[] = ['busy', 'draining', 'no-bot', 'error'];
    for (const reason of reasons) {
      const { body } = await webhook.reject(texmlCall, reason);
      expect(body).toContain(`>${REFUSAL_SENTENCES[reason]}</Say><Hangup/></Response>`);
    }
    expect(new Set(Object.values(REFUSAL_SENTENCES)).size).toBe(4);
  });

  test('with a hang-up or a transfer that comes back to us', () => {
    expect(webhook.continueWith({ kind: 'hangup' }).body).toContain('<Response><Hangup/></Response>');
    const dial = '<Dial action="https://gw.example.com/telnyx/after" method="POST" timeout="30">';
    expect(webhook.continueWith({ kind: 'transfer', target: '+15559990000' }).body).toContain(
      `${dial}<Number>+15559990000</Number></Dial>`,
    );
    expect(webhook.continueWith({ kind: 'transfer', target: 'sip:desk@example.com' }).body).toContain(
      `${dial}<Sip>sip:desk@example.com</Sip></Dial>`,
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RefusalReason } from '../../../src/carriers/carrier.ts';
import { createLinks } from '../../../src/carriers/vonage/links.ts';
import { API_ORIGIN, RegionBook } from '../../../src/carriers/vonage/settings.ts';
import { createVonageWebhook } from '../../../src/carriers/vonage/webhook.ts';
import {
  APPLICATION,
  answer,
  CALL,
  handshake,
  links,
  PUBLIC_URL,
  parts,
  post,
  SECRETS,
  settings,
  sha256,
} from './support.ts';

const webhook = createVonageWebhook(settings, parts());
const call = {
  carrier: 'vonage',
  callId: CALL,
  accountId: APPLICATION,
  from: '+15551230001',
  to: '+15551230002',
  direction: 'inbound',
} as const;
const path = (url: string): string => url.slice(PUBLIC_URL.length);
const asked = (kind: 'stream' | 'transfer', event: object) =>
  webhook.parse(post(path(links.after(kind, CALL)), event), 'after');
const status = (event: object) => webhook.parse(post('/vonage/events', { uuid: CALL, ...event }), 'events');

describe('a Vonage webhook says', () => {
  test('who calls whom, in E.164; as POST and as GET', () => {
    expect(webhook.parse(post('/vonage/voice', answer), 'voice')).toEqual({ type: 'call-incoming', call });
    const query = new URLSearchParams(answer).toString();
    const get = handshake(`/vonage/voice?${query}`, { payload_hash: sha256(JSON.stringify(answer)) });
    expect(webhook.verify(get)).toEqual({ ok: true });
    expect(webhook.parse(get, 'voice')).toEqual({ type: 'call-incoming', call });
  });

  test('also of callers that have no number', () => {
    const of = (more: object) => webhook.parse(post('/vonage/voice', { ...answer, ...more }), 'voice');
    expect(of({ from: 'anonymous' })).toMatchObject({ call: { from: 'anonymous' } });
    expect(of({ from: undefined, from_user: 'JaneDoe' })).toMatchObject({ call: { from: 'JaneDoe' } });
    expect(of({ from: 5, to: ['x'] })).toMatchObject({ call: { from: '', to: '' } });
    expect(of({ from: 'x'.repeat(9999) })).toMatchObject({ call: { from: 'x'.repeat(255) } });
  });

  test('that a call is one that we placed, by the address that we gave', () => {
    const request = post(path(links.answer('dial_7-a')), answer);
    expect(webhook.verify(request)).toEqual({ ok: true });
    expect(webhook.parse(request, 'voice')).toEqual({
      type: 'call-incoming',
      call: { ...call, direction: 'outbound', dialRef: 'dial_7-a' },
    });
  });

  test.each(['completed', 'failed', 'rejected', 'unanswered', 'busy', 'timeout', 'cancelled'])(
    'that a call has ended: %s',
    (ended) => {
      expect(status({ status: ended })).toEqual({ type: 'call-ended', callId: CALL, status: ended });
    },
  );

  test('that a call was answered, and by whom', () => {
    expect(status({ status: 'answered' })).toEqual({ type: 'call-answered', callId: CALL });
    expect(status({ status: 'human' })).toEqual({ type: 'call-answered', callId: CALL, by: 'person' });
    expect(status({ status: 'machine', sub_state: 'beep_start' })).toEqual({
      type: 'call-answered',
      callId: CALL,
      by: 'machine',
    });
  });

  test.each(['started', 'ringing', 'record', 'input', 'transfer', 'disconnected', '', 7])(
    'nothing of use with status %j',
    (other) => {
      expect(status({ status: other }).type).toBe('ignored');
    },
  );

  test('what became of a stream, whose leg has another id, by the address that we gave', () => {
    const leg = { uuid: 'the-leg-of-the-stream' };
    expect(asked('stream', { ...leg, status: 'disconnected' })).toEqual({
      type: 'stream-continuation',
      callId: CALL,
    });
    expect(asked('stream', { ...leg, status: 'answered' })).toEqual({ type: 'stream-started', callId: CALL });
    expect(asked('stream', { ...leg, status: 'completed' })).toEqual({
      type: 'stream-stopped',
      callId: CALL,
    });
    for (const failed of ['failed', 'unanswered', 'busy', 'rejected', 'timeout', 'cancelled']) {
      expect(asked('stream', { ...leg, status: failed })).toEqual({
        type: 'stream-failed',
        callId: CALL,
        detail: failed,
      });
    }
    expect(asked('stream', { ...leg, status: 'ringing' }).type).toBe('ignored');
  });

  test('what became of a transfer; its answer must not end it, nor a late "completed" the next stream', () => {
    for (const failed of ['failed', 'unanswered', 'busy', 'rejected', 'timeout', 'cancelled']) {
      expect(asked('transfer', { status: failed })).toEqual({
        type: 'stream-continuation',
        callId: CALL,
        transfer: 'unanswered',
      });
    }
    for (const duration of ['12', 12]) {
      expect(asked('transfer', { status: 'completed', duration })).toEqual({
        type: 'stream-continuation',
        callId: CALL,
        transfer: 'answered',
      });
    }
    for (const going of [
      { status: 'answered' },
      { status: 'ringing' },
      { status: 'completed' },
      { status: 'completed', duration: '0' },
      { status: 'disconnected' },
    ]) {
      expect(asked('transfer', going).type, JSON.stringify(going)).toBe('ignored');
    }
  });

  test('nothing at "after" without an address of ours', () => {
    for (const target of ['/vonage/after', `/vonage/after?stream=${CALL}`, path(links.answer('ref'))]) {
      expect(webhook.parse(post(target, { uuid: CALL, status: 'disconnected' }), 'after').type).toBe(
        'ignored',
      );
    }
  });

  test('nothing that throws, whatever it is', () => {
    const body = fc.oneof(fc.string({ unit: 'binary' }), fc.json());
    const kind = fc.constantFrom('voice', 'after', 'events');
    fc.assert(
      fc.property(body, kind, fc.string({ unit: 'binary' }), fc.boolean(), (text, what, query, get) => {
        const target = `/vonage/${what}?${query}`;
        const request = { method: get ? 'GET' : 'POST', target, headers: {}, body: Buffer.from(text) };
        const event = webhook.parse(request, what as 'voice' | 'after' | 'events');
        expect(typeof event.type).toBe('string');
        expect(webhook.verify(request).ok).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the addresses that we hand to Vonage', () => {
  test('are read by any machine that has one of the secrets', () => {
    const target = path(links.after('transfer', CALL));
    expect(createLinks('https://other.example.com', [SECRETS[0]]).read(target)).toEqual({
      kind: 'transfer',
      id: CALL,
    });
    expect(createLinks(PUBLIC_URL, ['rotated', ...SECRETS]).read(target)).toEqual({
      kind: 'transfer',
      id: CALL,
    });
    expect(createLinks(PUBLIC_URL, ['rotated']).read(target)).toBeUndefined();
    expect(createLinks(PUBLIC_URL, ['']).read(target)).toBeUndefined();
  });

  test('let in no change, although what they come with is signed', () => {
    const target = path(links.after('stream', CALL));
    const changed = [
      target.replace(CALL, CALL.replace('a', 'b')),
      target.replace('stream=', 'transfer='),
      target.replace(/mac=.*/, `mac=${'0'.repeat(40)}`),
      target.replace(/&mac=.*/, ''),
      `${target}&stream=${CALL}`,
      `${target}&dial=x`,
      `${target}&mac=${'0'.repeat(40)}`,
      target.replace('stream=', 'x='),
    ];
    for (const other of changed) {
      expect(webhook.verify(post(other, { status: 'disconnected' })), other).toEqual({
        ok: false,
        reason: 'mismatch',
      });
    }
    expect(webhook.verify(post(target, { status: 'disconnected' }))).toEqual({ ok: true });
    expect(webhook.verify(post('/vonage/voice?owner=x', answer))).toEqual({ ok: true });
  });

  test('stay what they are for any id', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/);
    fc.assert(
      fc.property(id, fc.constantFrom('stream', 'transfer'), (callId, kind) => {
        expect(links.read(path(links.after(kind, callId)))).toEqual({ kind, id: callId });
        expect(links.read(path(links.answer(callId)))).toEqual({ kind: 'dial', id: callId });
      }),
      { numRuns: 300 },
    );
  });
});

describe('an answer document', () => {
  test('connects the stream, with one action and nothing that could run beside it', async () => {
    const reply = await webhook.accept(call, '/vonage/media/TOKEN');
    expect(reply.contentType).toBe('application/json; charset=utf-8');
    expect(JSON.parse(reply.body)).toEqual([
      {
        action: 'connect',
        eventType: 'synchronous',
        eventMethod: 'POST',
        eventUrl: [links.after('stream', CALL)],
        endpoint: [
          {
            type: 'websocket',
            uri: 'wss://gw.example.com/vonage/media/TOKEN',
            'content-type': 'audio/l16;rate=16000',
            headers: { uuid: CALL, from: '+15551230001', to: '+15551230002' },
            authorization: { type: 'vonage' },
          },
        ],
      },
    ]);
  });

  test('names a plain stream for a loopback origin, and the rate of the settings', async () => {
    const local = { ...parts(), links: createLinks('http://127.0.0.1:8080', SECRETS) };
    const reply = await createVonageWebhook({ ...settings, sampleRate: 24000 }, local).accept(call, '/x');
    const [{ endpoint }] = JSON.parse(reply.body);
    expect(endpoint[0]).toMatchObject({
      uri: 'ws://127.0.0.1:8080/x',
      'content-type': 'audio/l16;rate=24000',
    });
  });

  test('has headers of at most 512 bytes, whoever calls', async () => {
    const odd = fc.string({ unit: 'binary', minLength: 200, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(odd, odd, async (from, to) => {
        const reply = await webhook.accept({ ...call, from, to }, '/x');
        const { headers } = JSON.parse(reply.body)[0].endpoint[0];
        expect(Buffer.byteLength(JSON.stringify(headers))).toBeLessThanOrEqual(512);
        expect(headers.uuid).toBe(CALL);
      }),
    );
  });

  test.each(['busy', 'draining', 'no-bot', 'error'] satisfies RefusalReason[])(
    'refuses with a sentence: %s',
    async (reason) => {
      const ncco = JSON.parse((await webhook.reject(call, reason)).body);
      expect(ncco).toEqual([
        { action: 'talk', text: expect.stringMatching(/ Goodbye\.$/), language: 'en-US' },
      ]);
    },
  );

  test('connects a number or a SIP address without an API, and hangs up with a moment of silence', () => {
    const of = (target: string) => JSON.parse(webhook.continueWith({ kind: 'transfer', target }).body);
    expect(of('+15559990000')).toEqual([
      { action: 'connect', timeout: 30, endpoint: [{ type: 'phone', number: '15559990000' }] },
    ]);
    expect(of('sip:desk@example.com')[0].endpoint).toEqual([{ type: 'sip', uri: 'sip:desk@example.com' }]);
    expect(JSON.parse(webhook.continueWith({ kind: 'hangup' }).body)).toEqual([
      { action: 'talk', text: expect.not.stringMatching(/[a-z]{6}/i), language: 'en-US' },
    ]);
  });
});

describe('a call’s region', () => {
  test('is what its signed webhook named, if that is an API of Vonage’s', () => {
    const regions = new RegionBook();
    const learning = createVonageWebhook(settings, { ...parts(), regions });
    const learn = (region_url: unknown, uuid = CALL) =>
      learning.parse(post('/vonage/voice', { ...answer, uuid, region_url }), 'voice');
    expect(regions.of(CALL)).toBe(API_ORIGIN);
    learn('https://api-eu-3.vonage.com');
    expect(regions.of(CALL)).toBe('https://api-eu-3.vonage.com');
    for (const other of [
      'https://api-eu-3.vonage.com.example.com',
      'http://api-eu-3.vonage.com',
      'https://api-eu-3.vonage.com/x',
      'https://example.com',
      7,
    ]) {
      learn(other, 'another');
      expect(regions.of('another'), String(other)).toBe(API_ORIGIN);
    }
  });

  test('is kept for a bounded number of calls', () => {
    const regions = new RegionBook();
    for (let n = 0; n <= 4096; n += 1) regions.note(`call-${n}`, 'https://api-us-4.vonage.com');
    expect(regions.of('call-0')).toBe(API_ORIGIN);
    expect(regions.of('call-1')).toBe('https://api-us-4.vonage.com');
  });
});

import { randomBytes } from 'node:crypto';
import { WebhookResponse } from '@jambonz/sdk/webhook';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { IncomingCall, RawRequest, RefusalReason } from '../../../src/carriers/carrier.ts';
import { jambonzSignature, verifyWebhook } from '../../../src/carriers/jambonz/signature.ts';
import { createJambonzWebhook } from '../../../src/carriers/jambonz/webhook.ts';
import {
  CALL,
  callBody,
  NOW_SECONDS,
  PUBLIC_URL,
  passwordOf,
  settings,
  signedPost,
  world,
} from './support.ts';

const webhook = createJambonzWebhook(settings, PUBLIC_URL, world().dependencies.clock);
const call: IncomingCall = {
  carrier: 'jambonz',
  callId: CALL,
  accountId: settings.accountSid,
  from: '15551230001',
  to: '15551230002',
  direction: 'inbound',
};

function parse(kind: 'voice' | 'after' | 'events', more: object = {}) {
  return webhook.parse(signedPost(`/jambonz/${kind}`, callBody(more)), kind);
}

describe("jambonz's signature", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW_SECONDS * 1000, toFake: ['Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** What jambonz's own package says of a request. */
  function theirs(request: RawRequest, secret: string): boolean {
    let error: unknown = 'not called';
    const body = request.body.toString('utf8');
    WebhookResponse.verifySignature(secret)(
      { headers: request.headers, body } as never,
      {} as never,
      (caught) => {
        error = caught;
      },
    );
    return error === undefined;
  }

  test('the vector computed from the algorithm', () => {
    const body = Buffer.from(
      '{"call_sid":"c1","direction":"inbound","from":"15551230001","to":"15551230002"}',
    );
    const wanted = 'c7f28ab81b0f87b4003c7128933d4930511c4941820110e0d35ccd4cc2536490';
    expect(jambonzSignature('wh_secret', '1750000000', body)).toBe(wanted);
  });

  test("ours and jambonz's package give the same verdict, right or wrong", () => {
    const json = fc.oneof(
      fc.json({ stringUnit: 'grapheme' }),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('', '{}', '{"a":"é日本"}', '{ "a" : 1 }'),
    );
    fc.assert(
      fc.property(
        json,
        fc.string({ minLength: 1, maxLength: 30 }),
        fc.integer({ min: -600, max: 600 }),
        fc.constantFrom('nothing', 'nothing', 'body', 'secret', 'time', 'signature', 'second', 'missing'),
        (text, secret, age, change) => {
          const seconds = NOW_SECONDS - age;
          const signature = jambonzSignature(secret, `${seconds}`, Buffer.from(text));
          const wrong = signature.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
          const header = {
            nothing: `t=${seconds},v1=${signature}`,
            body: `t=${seconds},v1=${signature}`,
            secret: `t=${seconds},v1=${signature}`,
            time: `t=${seconds + 1},v1=${signature}`,
            signature: `t=${seconds},v1=${wrong}`,
            second: `t=${seconds},v1=${wrong},v1=${signature}`,
            missing: `t=${seconds}`,
          }[change];
          const request: RawRequest = {
            method: 'POST',
            target: '/jambonz/voice',
            headers: { 'jambonz-signature': header },
            body: Buffer.from(change === 'body' ? `${text} ` : text),
          };
          const key = change === 'secret' ? `${secret}x` : secret;
          const ours = verifyWebhook(request, ['another', key], NOW_SECONDS * 1000).ok;
          expect(ours).toBe(theirs(request, key));
          if (change === 'nothing' || change === 'second') expect(ours).toBe(Math.abs(age) <= 300);
        },
      ),
      { numRuns: 2000, seed: 46 },
    );
  });

  test('a missing one is told from one that cannot be any, and from one of another time', () => {
    const request = signedPost('/jambonz/voice', callBody());
    const signature = String(request.headers['jambonz-signature']);
    const verdict = (header: string | string[] | undefined, method = 'POST') => {
      const headers = { 'jambonz-signature': header };
      const result = verifyWebhook(
        { ...request, method, headers },
        settings.webhookSecrets,
        NOW_SECONDS * 1000,
      );
      return result.ok ? 'ok' : result.reason;
    };
    expect(verdict(signature)).toBe('ok');
    expect([undefined, '', []].map((header) => verdict(header))).toEqual(['missing', 'missing', 'missing']);
    const hex = signature.slice(-64);
    for (const header of [
      't=1',
      `v1=${hex}`,
      `t=x,v1=${hex}`,
      `t=1,t=2,v1=${hex}`,
      `t=1,v1=${hex}0`,
      `t=1,v1=${hex.toUpperCase()}`,
      `t=1,${Array(20).fill(`v1=${hex}`).join()}`,
    ])
      expect(verdict(header), header).toBe('malformed');
    expect(verdict([signature, signature])).toBe('malformed');
    // What a GET carries is not what was signed.
    expect(verdict(signature, 'GET')).toBe('malformed');
    const late = signedPost('/jambonz/voice', callBody(), { seconds: NOW_SECONDS - 301 });
    expect(webhook.verify(late)).toEqual({ ok: false, reason: 'stale' });
    const early = signedPost('/jambonz/voice', callBody(), { seconds: NOW_SECONDS + 301 });
    expect(webhook.verify(early)).toEqual({ ok: false, reason: 'stale' });
  });
});

describe('a jambonz webhook is let in', () => {
  test('with any of the secrets, and as often as it is repeated', () => {
    const request = signedPost('/jambonz/voice', callBody());
    expect([webhook.verify(request), webhook.verify(request)]).toEqual([{ ok: true }, { ok: true }]);
    expect(webhook.verify(signedPost('/jambonz/voice', callBody(), { secret: 'wh_secret_old' })).ok).toBe(
      true,
    );
  });

  test.each([{ account_sid: 'another' }, { account_sid: undefined }, { account_sid: [settings.accountSid] }])(
    'not of another account: %j',
    (more) => {
      const verdict = webhook.verify(signedPost('/jambonz/voice', callBody(more)));
      expect(verdict).toEqual({ ok: false, reason: 'mismatch' });
    },
  );

  test('never when it is forged: a thousand ways', () => {
    const honest = signedPost('/jambonz/voice', callBody());
    const header = String(honest.headers['jambonz-signature']);
    const withHeader = (value: string): RawRequest => ({
      ...honest,
      headers: { 'jambonz-signature': value },
    });
    const accepted: string[] = [];
    for (let n = 0; n < 1000; n += 1) {
      const other = callBody({ call_sid: `c${n}` });
      const ways: [string, RawRequest][] = [
        [
          'a guessed secret',
          signedPost('/jambonz/voice', other, { secret: randomBytes(12).toString('hex') }),
        ],
        ['an empty secret', signedPost('/jambonz/voice', other, { secret: '' })],
        ['random bytes', withHeader(`t=${NOW_SECONDS},v1=${randomBytes(32).toString('hex')}`)],
        ['another body', { ...honest, body: Buffer.from(JSON.stringify(other)) }],
        ['a space more', { ...honest, body: Buffer.from(`${honest.body}${' '.repeat(n + 1)}`) }],
        ['another time', withHeader(header.replace(`${NOW_SECONDS}`, `${NOW_SECONDS + (n % 200) + 1}`))],
        ['an old copy', signedPost('/jambonz/voice', callBody(), { seconds: NOW_SECONDS - 301 - n })],
        ['no signature', { ...honest, headers: {} }],
        ['another account', signedPost('/jambonz/voice', callBody({ account_sid: `a${n}` }))],
      ];
      const [way, request] = ways[n % ways.length] as [string, RawRequest];
      if (webhook.verify(request).ok) accepted.push(`${n} ${way}`);
    }
    expect(accepted).toEqual([]);
    expect(
      createJambonzWebhook(
        { ...settings, webhookSecrets: [''] },
        PUBLIC_URL,
        world().dependencies.clock,
      ).verify(signedPost('/x', callBody(), { secret: '' })).ok,
    ).toBe(false);
  });
});

describe('a jambonz webhook means', () => {
  test.each<[string, 'voice' | 'after' | 'events', object, object]>([
    ['a call', 'voice', {}, { type: 'call-incoming', call }],
    [
      'a call that we placed',
      'voice',
      { direction: 'outbound', call_status: 'in-progress', customerData: { offhook: 'dial-7' } },
      { type: 'call-incoming', call: { direction: 'outbound', dialRef: 'dial-7' } },
    ],
    [
      'the same as other versions write it',
      'voice',
      { customer_data: { offhook: 'dial-7' } },
      { call: { dialRef: 'dial-7' } },
    ],
    [
      'the end',
      'events',
      { call_status: 'completed', duration: 5 },
      { type: 'call-ended', callId: CALL, status: 'completed' },
    ],
    ['a call that failed', 'voice', { call_status: 'failed' }, { type: 'call-ended' }],
    [
      'the end, asked at after',
      'after',
      { call_status: 'completed', dial_call_status: 'completed' },
      { type: 'call-ended' },
    ],
    ['an answer', 'events', { call_status: 'in-progress' }, { type: 'call-answered', callId: CALL }],
    ['a person', 'events', { type: 'amd_human_detected' }, { type: 'call-answered', by: 'person' }],
    ['a machine', 'events', { type: 'amd_machine_detected' }, { type: 'call-answered', by: 'machine' }],
    ['who knows', 'events', { type: 'amd_decision_timeout' }, { type: 'call-answered', by: 'unknown' }],
    ['a tone', 'events', { type: 'amd_tone_detected' }, { type: 'ignored' }],
    ['ringing', 'events', { call_status: 'ringing' }, { type: 'ignored' }],
    [
      'what comes next',
      'after',
      { call_status: 'in-progress' },
      { type: 'stream-continuation', callId: CALL },
    ],
    [
      'a transfer done',
      'after',
      { call_status: 'in-progress', dial_call_status: 'completed' },
      { type: 'stream-continuation', transfer: 'answered' },
    ],
    [
      'a transfer in vain',
      'after',
      { call_status: 'in-progress', dial_call_status: 'no-answer' },
      { type: 'stream-continuation', transfer: 'unanswered' },
    ],
  ])('%s', (_what, kind, more, wanted) => {
    expect(parse(kind, more)).toMatchObject(wanted);
  });

  test('no reference that is none, and nothing without an id that may go into an address', () => {
    for (const offhook of ['', 'a b', 5, null, {}, 'x'.repeat(65)]) {
      const event = parse('voice', { customerData: { offhook } });
      expect(event.type === 'call-incoming' && 'dialRef' in event.call).toBe(false);
    }
    for (const call_sid of ['', 'a/b', 5, null, undefined, 'x'.repeat(65)]) {
      expect(parse('voice', { call_sid }).type).toBe('ignored');
    }
    expect(parse('voice', { from: 'x'.repeat(900), to: 5 })).toMatchObject({
      call: { from: 'x'.repeat(255), to: '' },
    });
  });

  test('something, whatever bytes it is made of', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        fc.string({ maxLength: 60 }),
        fc.constantFrom('voice', 'after', 'events'),
        (body, header, kind) => {
          const request = {
            method: 'POST',
            target: '/',
            headers: { 'jambonz-signature': header },
            body: Buffer.from(body),
          };
          expect(webhook.verify(request).ok).toBe(false);
          expect(typeof webhook.parse(request, kind).type).toBe('string');
        },
      ),
      { numRuns: 500, seed: 47 },
    );
  });
});

describe("jambonz is answered as jambonz's package writes it", () => {
  const bodyOf = (reply: { readonly body: string }): unknown => JSON.parse(reply.body);

  test('with the stream, its credentials, and the question what comes next', async () => {
    const wanted = new WebhookResponse({ validate: true } as never);
    wanted
      .answer()
      .listen({
        url: 'wss://gw.example.com/jambonz/media/abc',
        actionHook: `${PUBLIC_URL}/jambonz/after`,
        sampleRate: 8000,
        mixType: 'mono',
        passDtmf: true,
        wsAuth: { username: 'offhook', password: passwordOf('/jambonz/media/abc') },
        bidirectionalAudio: { enabled: true, streaming: true, sampleRate: 8000 },
      })
      .hangup();
    const reply = await webhook.accept(call, '/jambonz/media/abc');
    expect(reply).toMatchObject({ status: 200, contentType: 'application/json; charset=utf-8' });
    expect(bodyOf(reply)).toEqual(wanted.toJSON());
    expect(await webhook.accept(call, '/jambonz/media/abc')).toEqual(reply);
    expect(reply.body).not.toContain('wh_secret');
  });

  test('at one rate both ways, the one that was chosen', async () => {
    const clock = world().dependencies.clock;
    const port = createJambonzWebhook({ ...settings, audio: 'l16@16000' }, 'http://localhost:8080', clock);
    const [, listen] = bodyOf(await port.accept(call, '/x')) as Record<string, unknown>[];
    expect(listen).toMatchObject({
      url: 'ws://localhost:8080/x',
      sampleRate: 16000,
      bidirectionalAudio: { sampleRate: 16000 },
    });
  });

  test('with a sentence of its own for every reason to refuse', async () => {
    const reasons: RefusalReason[] = ['busy', 'draining', 'no-bot', 'error'];
    const texts = await Promise.all(
      reasons.map(async (reason) => {
        const list = bodyOf(await webhook.reject(call, reason)) as { verb: string; text: string }[];
        expect(list.map(({ verb }) => verb)).toEqual(['say', 'hangup']);
        return list[0]?.text ?? '';
      }),
    );
    expect(new Set(texts).size).toBe(reasons.length);
    for (const text of texts) expect(text).toMatch(/^[A-Z].{20,}Goodbye\.$/);
  });

  test('with a hang-up or a transfer that comes back to us', () => {
    expect(bodyOf(webhook.continueWith({ kind: 'hangup' }))).toEqual(new WebhookResponse().hangup().toJSON());
    for (const target of ['+15559990000', 'sip:desk@example.com']) {
      const wanted = new WebhookResponse()
        .dial({
          target: [
            target.startsWith('sip:') ? { type: 'sip', sipUri: target } : { type: 'phone', number: target },
          ],
          timeout: 30,
          actionHook: `${PUBLIC_URL}/jambonz/after`,
        })
        .hangup();
      expect(bodyOf(webhook.continueWith({ kind: 'transfer', target }))).toEqual(wanted.toJSON());
    }
    expect(webhook.acknowledge()).toMatchObject({ status: 204, body: '' });
    expect(webhook.refusedStatus).toBe(403);
  });
});

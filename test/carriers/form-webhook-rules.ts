/** What every webhook must keep to whose requests are forms in Twilio's dialect, signed over their address. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IncomingCall, RawRequest, WebhookEvent, WebhookPort } from '../../src/carriers/carrier.ts';
import type { Form } from './forms.ts';

export interface FormWebhook {
  readonly webhook: WebhookPort;
  /** What `callForm()` announces. */
  readonly call: IncomingCall;
  /** The fields of an honest announcement, but for these. */
  readonly callForm: (changes?: Form) => Form;
  /** `secret`: another one than ours. */
  readonly signed: (target: string, form: Form, secret?: string) => RawRequest;
  readonly signatureHeader: string;
}

export function formWebhookRules({ webhook, call, callForm, signed, signatureHeader }: FormWebhook): void {
  const { carrier, callId } = call;
  const voice = `/${carrier}/voice`;
  const parse = (kind: 'voice' | 'after' | 'events', form: Form, query = ''): WebhookEvent =>
    webhook.parse(signed(`/${carrier}/${kind}${query}`, form), kind);

  describe(`a webhook of ${carrier}’s is let in`, () => {
    test('never when it is forged: a thousand ways', () => {
      const honest = signed(voice, callForm());
      const reasons = new Set<string>();
      for (let n = 0; n < 1000; n += 1) {
        const [name, request] = forge(n, honest);
        expect(webhook.verify(request).ok, `${name} ${n}`).toBe(false);
        reasons.add(name);
      }
      expect(reasons.size).toBeGreaterThanOrEqual(9);
    });

    /** What an attacker has: one honest request, our source, any bytes he likes, but no secret. */
    function forge(n: number, honest: RawRequest): [string, RawRequest] {
      const other = callForm({ CallSid: `c-${n}`, From: `+1555${n}` });
      const signature = honest.headers[signatureHeader] as string;
      const random = randomBytes(20).toString('base64');
      const withSignature = (value: string | readonly string[] | undefined): RawRequest => ({
        ...honest,
        headers: { ...honest.headers, [signatureHeader]: value },
      });
      switch (n % 10) {
        case 0:
          return ['guessed', withSignature(random)];
        case 1:
          return ['over another body', { ...honest, body: signed(voice, other).body }];
        case 2:
          return ['over another address', { ...honest, target: `/${carrier}/events?n=${n}` }];
        case 3:
          return ['guessed secret', signed(voice, other, `secret-${n}`)];
        case 4:
          return ['none', withSignature(n % 20 === 4 ? undefined : '')];
        case 5:
          return ['shortened', withSignature(signature.slice(0, n % 28))];
        case 6:
          return ['twice', withSignature([signature, n % 20 === 6 ? signature : random])];
        case 7:
          return ['a field more', { ...honest, body: Buffer.concat([honest.body, Buffer.from(`&x${n}=1`)]) }];
        case 8:
          return ['empty key', signed(voice, other, '')];
        default: {
          const body = Buffer.from(honest.body);
          const at = n % body.length;
          body[at] = (body[at] ?? 0) === 0x41 ? 0x42 : 0x41;
          return ['a byte changed', { ...honest, body }];
        }
      }
    }
  });

  describe(`a webhook of ${carrier}’s says`, () => {
    test('who calls whom', () => {
      expect(parse('voice', callForm())).toEqual({ type: 'call-incoming', call });
    });

    test('which of our calls it is that was answered', () => {
      const placed = callForm({ Direction: 'outbound-api', CallStatus: 'in-progress' });
      const outbound = { ...call, direction: 'outbound' };
      expect(parse('voice', placed, '?ref=r-1_A')).toEqual({
        type: 'call-incoming',
        call: { ...outbound, dialRef: 'r-1_A' },
      });
      for (const query of ['', '?ref=', '?ref=a%20b', '?ref=a&ref=b', `?ref=${'x'.repeat(65)}`]) {
        expect(parse('voice', placed, query)).toEqual({ type: 'call-incoming', call: outbound });
      }
      expect(parse('voice', callForm(), '?ref=r1')).toEqual({ type: 'call-incoming', call });
    });

    test.each(['completed', 'busy', 'failed', 'no-answer', 'canceled'])(
      'that a call ended (%s), at any address',
      (status) => {
        for (const kind of ['voice', 'after', 'events'] as const) {
          expect(parse(kind, callForm({ CallStatus: status }))).toEqual({
            type: 'call-ended',
            callId,
            status,
          });
        }
      },
    );

    test.each([
      [{ CallStatus: 'in-progress' }, { type: 'call-answered' }],
      [{ CallStatus: 'answered' }, { type: 'call-answered' }],
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
        { StreamEvent: 'stream-error', StreamError: '31920 handshake' },
        { type: 'stream-failed', detail: '31920 handshake' },
      ],
    ])('at events: %j', (fields, event) => {
      expect(parse('events', callForm(fields as Form))).toEqual({ callId, ...event });
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
      expect(parse('after', form)).toEqual({ type: 'stream-continuation', callId });
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
          callId,
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
      const request = fc.record({
        method: fc.constantFrom('GET', 'POST', 'PUT', ''),
        target: fc.string({ unit: 'binary', maxLength: 200 }),
        headers: fc.dictionary(
          fc.constantFrom(signatureHeader, 'x-twilio-signature', 'content-type', 'host'),
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
}

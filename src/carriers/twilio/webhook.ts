import type { AfterStream, HttpReply, RawRequest, WebhookEvent, WebhookPort } from '../carrier.ts';
import { type TwilioSettings, twilioAddresses } from './settings.ts';
import { type FormFields, parseForm, verifyWebhook } from './signature.ts';
import { dialDocument, hangupDocument, refusalDocument, streamDocument } from './twiml.ts';

/** Field names and values: Twilio, "TwiML voice request parameters", `<Stream>` and `<Dial>`. */
const ENDED = new Set(['completed', 'busy', 'failed', 'no-answer', 'canceled']);
const ANSWERED = new Set(['in-progress', 'answered']);
const DIAL_ANSWERED = new Set(['completed', 'answered']);
/** Ids go into addresses and records. Twilio's are `CA` and 32 hex digits. */
const CALL_SID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_ADDRESS_CHARACTERS = 255;
const MAX_DETAIL_CHARACTERS = 200;

export function createTwilioWebhook(settings: TwilioSettings, publicUrl: string): WebhookPort {
  const addresses = twilioAddresses(publicUrl);
  return {
    refusedStatus: 403,
    /**
     * A request that is signed, but of another account than the configured one (or of none), is refused like a forged
     * one: its calls could not be ended with our credentials, and its minutes are somebody else's.
     */
    verify(request) {
      const verdict = verifyWebhook(request, publicUrl, settings.authTokens);
      if (!verdict.ok) return verdict;
      const account = only(fieldsOf(request), 'AccountSid');
      return account === settings.accountSid ? verdict : { ok: false, reason: 'mismatch' };
    },
    parse: (request, kind) => parseEvent(fieldsOf(request), kind),
    accept: async (call, streamPath) => twiml(streamDocument(call, streamPath, addresses)),
    reject: async (_call, reason) => twiml(refusalDocument(reason)),
    continueWith: (plan: AfterStream) =>
      twiml(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, null, addresses)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

function parseEvent(fields: FormFields, kind: 'voice' | 'after' | 'events'): WebhookEvent {
  const callId = only(fields, 'CallSid');
  if (callId === null || !CALL_SID.test(callId)) return { type: 'ignored', what: 'a request without a call' };
  const status = only(fields, 'CallStatus') ?? '';
  if (kind === 'events' && fields.has('StreamEvent')) return parseStreamEvent(fields, callId);
  // Twilio also asks voice and after addresses when the caller has just hung up; no answer to it is heard any more.
  if (ENDED.has(status)) return { type: 'call-ended', callId, status };
  if (kind === 'after') return parseContinuation(fields, callId);
  if (kind === 'events') {
    if (ANSWERED.has(status)) return { type: 'call-answered', callId };
    return { type: 'ignored', what: 'a call status that is neither answered nor ended' };
  }
  return {
    type: 'call-incoming',
    call: {
      carrier: 'twilio',
      callId,
      accountId: only(fields, 'AccountSid'),
      from: addressOf(fields, 'From'),
      to: addressOf(fields, 'To'),
      direction: only(fields, 'Direction')?.startsWith('outbound') ? 'outbound' : 'inbound',
    },
  };
}

function parseStreamEvent(fields: FormFields, callId: string): WebhookEvent {
  switch (only(fields, 'StreamEvent')) {
    case 'stream-started':
      return { type: 'stream-started', callId };
    case 'stream-stopped':
      return { type: 'stream-stopped', callId };
    case 'stream-error': {
      const detail = only(fields, 'StreamError') ?? 'no reason given';
      return { type: 'stream-failed', callId, detail: detail.slice(0, MAX_DETAIL_CHARACTERS) };
    }
    default:
      return { type: 'ignored', what: 'a stream event of another kind' };
  }
}

/** With `DialCallStatus` it is the end of a transfer, and the caller is still there. */
function parseContinuation(fields: FormFields, callId: string): WebhookEvent {
  const dialled = only(fields, 'DialCallStatus');
  if (dialled === null) return { type: 'stream-continuation', callId };
  const transfer = DIAL_ANSWERED.has(dialled) ? 'answered' : 'unanswered';
  return { type: 'stream-continuation', callId, transfer };
}

/** Exactly the fields whose signature was checked: of a GET the query's, otherwise the body's and nothing else. */
function fieldsOf(request: RawRequest): FormFields {
  if (request.method.toUpperCase() !== 'GET') return parseForm(request.body.toString('utf8'));
  const start = request.target.indexOf('?');
  return parseForm(start === -1 ? '' : request.target.slice(start + 1));
}

/** A field that comes twice with different values says nothing: which one counts would be the sender's choice. */
function only(fields: FormFields, name: string): string | null {
  const values = fields.get(name);
  const first = values?.[0];
  return first !== undefined && values?.every((value) => value === first) ? first : null;
}

function addressOf(fields: FormFields, name: 'From' | 'To'): string {
  return (only(fields, name) ?? '').slice(0, MAX_ADDRESS_CHARACTERS);
}

function twiml(body: string): HttpReply {
  return { status: 200, contentType: 'text/xml; charset=utf-8', body };
}

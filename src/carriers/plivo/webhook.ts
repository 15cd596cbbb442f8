import type { Clock } from '../../clock.ts';
import type { AfterStream, RawRequest, Verification, WebhookEvent, WebhookPort } from '../carrier.ts';
import { dialRefOf, type FormFields, fieldsOf, only, queryOf } from '../form-fields.ts';
import { hangupDocument } from '../voice-markup.ts';
import { xmlReply } from '../xml.ts';
import { UsedNonces } from './nonces.ts';
import { type PlivoSettings, plivoAddresses } from './settings.ts';
import { fieldsSigned, NONCE_HEADER, signedText, verifySignature } from './signature.ts';
import { dialDocument, refusalDocument, streamDocument } from './xml.ts';

/** Field names and values: Plivo, "Answer URL", "Hangup URL", `<Dial>`, `<Stream>` and "Make a call". */
const ENDED = new Set(['completed', 'busy', 'failed', 'timeout', 'no-answer', 'cancel', 'rejected']);
const ANSWERED = new Set(['in-progress', 'answered']);
/** Ids go into addresses and records. Plivo's are UUIDs. */
const CALL_UUID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_ADDRESS_CHARACTERS = 255;
const MAX_DETAIL_CHARACTERS = 200;
const ACCOUNT_FIELDS = ['AuthID', 'ParentAuthID'] as const;

export function createPlivoWebhook(settings: PlivoSettings, publicUrl: string, clock: Clock): WebhookPort {
  const addresses = plivoAddresses(publicUrl);
  const { origin } = new URL(publicUrl);
  const nonces = new UsedNonces(clock);
  return {
    refusedStatus: 403,
    verify(request) {
      const verdict = verifyRequest(request, origin, settings);
      if (!verdict.ok) return verdict;
      const nonce = request.headers[NONCE_HEADER];
      const isNew = typeof nonce === 'string' && nonces.admit(nonce, request);
      return isNew ? verdict : { ok: false, reason: 'stale' };
    },
    parse: (request, kind) => parseEvent(fieldsOf(request), queryOf(request), kind),
    accept: async (call, streamPath) =>
      xmlReply(streamDocument(call, streamPath, settings.audio ?? 'pcmu', addresses)),
    reject: async (_call, reason) => xmlReply(refusalDocument(reason)),
    continueWith: (plan: AfterStream) =>
      xmlReply(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, null, addresses)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

/**
 * A request that is signed, but of another account than the configured one, is refused like a forged one. Plivo does not
 * name the account in every request; where it does not, that the token fits has to do.
 */
function verifyRequest(request: RawRequest, origin: string, settings: PlivoSettings): Verification {
  if (!request.target.startsWith('/')) return { ok: false, reason: 'malformed' };
  const text = signedText(origin, request.target, fieldsSigned(request));
  const verdict = verifySignature(request.headers, [text], settings.authTokens);
  if (!verdict.ok) return verdict;
  const fields = fieldsOf(request);
  const named = ACCOUNT_FIELDS.filter((name) => fields.has(name));
  const isOurs = named.some((name) => only(fields, name) === settings.authId);
  return named.length === 0 || isOurs ? verdict : { ok: false, reason: 'mismatch' };
}

function parseEvent(fields: FormFields, query: FormFields, kind: 'voice' | 'after' | 'events'): WebhookEvent {
  const callId = only(fields, 'CallUUID');
  if (callId === null || !CALL_UUID.test(callId))
    return { type: 'ignored', what: 'a request without a call' };
  const event = only(fields, 'Event') ?? '';
  if (kind === 'events' && fields.has('Machine')) return parseDetection(fields, callId);
  if (kind === 'events' && isStreamEvent(event, fields)) return parseStreamEvent(event, fields, callId);
  const status = only(fields, 'CallStatus') ?? '';
  if (ENDED.has(status) || event === 'Hangup') return { type: 'call-ended', callId, status };
  if (kind === 'after') return parseContinuation(fields, callId);
  if (kind === 'events') {
    if (ANSWERED.has(status)) return { type: 'call-answered', callId };
    return { type: 'ignored', what: 'a call status that is neither answered nor ended' };
  }
  const isOutbound = only(fields, 'Direction') === 'outbound';
  const dialRef = isOutbound ? dialRefOf(query) : null;
  return {
    type: 'call-incoming',
    call: {
      carrier: 'plivo',
      callId,
      accountId: only(fields, 'AuthID') ?? only(fields, 'ParentAuthID'),
      from: addressOf(fields, 'From'),
      to: addressOf(fields, 'To'),
      direction: isOutbound ? 'outbound' : 'inbound',
      ...(dialRef === null ? {} : { dialRef }),
    },
  };
}

/** The answer of `machine_detection_url`. */
function parseDetection(fields: FormFields, callId: string): WebhookEvent {
  const machine = only(fields, 'Machine')?.toLowerCase();
  const by = machine === 'true' ? 'machine' : machine === 'false' ? 'person' : 'unknown';
  return { type: 'call-answered', callId, by };
}

function isStreamEvent(event: string, fields: FormFields): boolean {
  return /stream/i.test(event) || fields.has('StreamID') || fields.has('StreamId');
}

/** One document calls them StartStream, StopStream, DroppedStream, DegradedStream; another started, stopped, failed. */
function parseStreamEvent(event: string, fields: FormFields, callId: string): WebhookEvent {
  if (/start/i.test(event)) return { type: 'stream-started', callId };
  if (/stop/i.test(event)) return { type: 'stream-stopped', callId };
  if (!/drop|fail/i.test(event)) return { type: 'ignored', what: 'a stream event of another kind' };
  const detail = only(fields, 'StatusReason') ?? only(fields, 'Reason') ?? 'no reason given';
  return { type: 'stream-failed', callId, detail: detail.slice(0, MAX_DETAIL_CHARACTERS) };
}

/** With `DialStatus` it is the end of a transfer, and the caller is still there. */
function parseContinuation(fields: FormFields, callId: string): WebhookEvent {
  const dialled = only(fields, 'DialStatus');
  if (dialled === null) return { type: 'stream-continuation', callId };
  return {
    type: 'stream-continuation',
    callId,
    transfer: dialled === 'completed' ? 'answered' : 'unanswered',
  };
}

/** Plivo leaves the plus of E.164 out; bots are found by numbers that have it. */
function addressOf(fields: FormFields, name: 'From' | 'To'): string {
  const address = (only(fields, name) ?? '').slice(0, MAX_ADDRESS_CHARACTERS);
  return /^[1-9][0-9]{6,14}$/.test(address) ? `+${address}` : address;
}

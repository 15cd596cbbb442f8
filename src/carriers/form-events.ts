import type { CarrierId, WebhookEvent } from './carrier.ts';
import { type FormFields, only } from './form-fields.ts';

/**
 * What a form in Twilio's dialect says: the requests of TeXML and cXML have the same field names and values, but for
 * the few spellings that are taken here as well.
 */
const ENDED = new Set(['completed', 'busy', 'failed', 'no-answer', 'canceled']);
const ANSWERED = new Set(['in-progress', 'answered']);
const DIAL_ANSWERED = new Set(['completed', 'answered']);
/** Ids go into addresses and records: UUIDs, `CA` and hex digits, or `v3:` and base64url. */
const CALL_ID = /^[A-Za-z0-9_:.-]{1,128}$/;
const MAX_ADDRESS_CHARACTERS = 255;
const MAX_DETAIL_CHARACTERS = 200;

export interface FormDialect {
  readonly carrier: CarrierId;
  /** Of a call that we placed, where the request names it. */
  readonly dialRef?: string | null;
}

/** Never throws; what is not understood is `ignored`. */
export function parseFormEvent(
  fields: FormFields,
  kind: 'voice' | 'after' | 'events',
  dialect: FormDialect,
): WebhookEvent {
  const callId = only(fields, 'CallSid');
  if (callId === null || !CALL_ID.test(callId)) return { type: 'ignored', what: 'a request without a call' };
  const status = only(fields, 'CallStatus') ?? '';
  if (kind === 'events' && fields.has('StreamEvent')) return parseStreamEvent(fields, callId);
  // The voice and after addresses are also asked when the caller has just hung up; nobody hears the answer any more.
  if (ENDED.has(status)) return { type: 'call-ended', callId, status };
  if (kind === 'after') return parseContinuation(fields, callId);
  if (kind === 'events') return parseProgress(fields, callId, status);
  const isOutbound = only(fields, 'Direction')?.startsWith('outbound') === true;
  return {
    type: 'call-incoming',
    call: {
      carrier: dialect.carrier,
      callId,
      accountId: only(fields, 'AccountSid'),
      from: addressOf(fields, 'From'),
      to: addressOf(fields, 'To'),
      direction: isOutbound ? 'outbound' : 'inbound',
      ...(isOutbound && dialect.dialRef ? { dialRef: dialect.dialRef } : {}),
    },
  };
}

function parseStreamEvent(fields: FormFields, callId: string): WebhookEvent {
  switch (only(fields, 'StreamEvent')) {
    case 'stream-started':
      return { type: 'stream-started', callId };
    case 'stream-stopped':
      return { type: 'stream-stopped', callId };
    case 'stream-error':
    case 'stream-failed': {
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

/** `AnsweredBy` comes by itself when the carrier has made up its mind, often without a status. */
function parseProgress(fields: FormFields, callId: string, status: string): WebhookEvent {
  const answeredBy = only(fields, 'AnsweredBy');
  if (answeredBy !== null) return { type: 'call-answered', callId, by: answererOf(answeredBy) };
  if (ANSWERED.has(status)) return { type: 'call-answered', callId };
  return { type: 'ignored', what: 'a call status that is neither answered nor ended' };
}

/** `human`, `human_residence` … ; `machine_start`, `machine_end_beep`, `fax` … ; anything else. */
export function answererOf(result: string): 'person' | 'machine' | 'unknown' {
  if (result.startsWith('human')) return 'person';
  return result.startsWith('machine') || result.startsWith('fax') ? 'machine' : 'unknown';
}

function addressOf(fields: FormFields, name: 'From' | 'To'): string {
  return (only(fields, name) ?? '').slice(0, MAX_ADDRESS_CHARACTERS);
}

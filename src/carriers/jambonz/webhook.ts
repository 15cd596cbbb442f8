import type { Clock } from '../../clock.ts';
import type { AfterStream, HttpReply, RawRequest, WebhookEvent, WebhookPort } from '../carrier.ts';
import { type JambonzSettings, jambonzAddresses, jambonzFormat } from './settings.ts';
import { verifyWebhook } from './signature.ts';
import { streamAuthOf } from './stream-auth.ts';
import { dialVerbs, hangupVerbs, refOf, refusalVerbs, streamVerbs, type Verb } from './verbs.ts';

/** Member names and values: `@jambonz/schema` 0.4, the callbacks "base", "call-status", "dial" and "amd". */
const ENDED = new Set(['completed', 'failed', 'busy', 'no-answer']);
const DIAL_ANSWERED = new Set(['completed', 'in-progress']);
const DETECTED = new Map([
  ['amd_human_detected', 'person'],
  ['amd_machine_detected', 'machine'],
  ['amd_no_speech_detected', 'unknown'],
  ['amd_decision_timeout', 'unknown'],
  ['amd_error', 'unknown'],
] as const);
/** Ids go into addresses and records. jambonz's are UUIDs. */
const CALL_SID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_ADDRESS_CHARACTERS = 255;

type Body = Readonly<Record<string, unknown>>;

export function createJambonzWebhook(
  settings: JambonzSettings,
  publicUrl: string,
  clock: Clock,
): WebhookPort {
  const addresses = jambonzAddresses(publicUrl);
  const { sampleRate } = jambonzFormat(settings.audio);
  return {
    refusedStatus: 403,
    /** A request that is signed, but of another account than the configured one, is refused like a forged one. */
    verify(request) {
      const verdict = verifyWebhook(request, settings.webhookSecrets, clock.epochMs());
      if (!verdict.ok) return verdict;
      const account = bodyOf(request)?.['account_sid'];
      return account === settings.accountSid ? verdict : { ok: false, reason: 'mismatch' };
    },
    parse: (request, kind) => parseEvent(bodyOf(request) ?? {}, kind),
    accept: async (_call, streamPath) =>
      verbs(
        streamVerbs(
          streamPath,
          sampleRate,
          streamAuthOf(settings.webhookSecrets[0] ?? '', streamPath),
          addresses,
        ),
      ),
    reject: async (_call, reason) => verbs(refusalVerbs(reason)),
    continueWith: (plan: AfterStream) =>
      verbs(plan.kind === 'hangup' ? hangupVerbs() : dialVerbs(plan.target, addresses)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

function parseEvent(body: Body, kind: 'voice' | 'after' | 'events'): WebhookEvent {
  const callId = body['call_sid'];
  if (typeof callId !== 'string' || !CALL_SID.test(callId))
    return { type: 'ignored', what: 'a request without a call' };
  const { type } = body;
  if (kind === 'events' && typeof type === 'string') {
    const by = (DETECTED as ReadonlyMap<string, 'person' | 'machine' | 'unknown'>).get(type);
    if (by !== undefined) return { type: 'call-answered', callId, by };
    return { type: 'ignored', what: 'an event of another kind' };
  }
  const status = textOf(body, 'call_status');
  // The hook is also asked when the caller has just hung up; no answer to it is heard any more.
  if (ENDED.has(status)) return { type: 'call-ended', callId, status };
  if (kind === 'after') return parseContinuation(body, callId);
  if (kind === 'events') {
    if (status === 'in-progress') return { type: 'call-answered', callId };
    return { type: 'ignored', what: 'a call status that is neither answered nor ended' };
  }
  const dialRef = refOf(body['customerData'] ?? body['customer_data']);
  return {
    type: 'call-incoming',
    call: {
      carrier: 'jambonz',
      callId,
      accountId: textOf(body, 'account_sid') || null,
      from: textOf(body, 'from').slice(0, MAX_ADDRESS_CHARACTERS),
      to: textOf(body, 'to').slice(0, MAX_ADDRESS_CHARACTERS),
      direction: body['direction'] === 'outbound' ? 'outbound' : 'inbound',
      ...(dialRef == null ? {} : { dialRef }),
    },
  };
}

/** With `dial_call_status` it is the end of a transfer, and the caller is still there. */
function parseContinuation(body: Body, callId: string): WebhookEvent {
  const dialled = body['dial_call_status'];
  if (typeof dialled !== 'string') return { type: 'stream-continuation', callId };
  return {
    type: 'stream-continuation',
    callId,
    transfer: DIAL_ANSWERED.has(dialled) ? 'answered' : 'unanswered',
  };
}

function bodyOf(request: RawRequest): Body | null {
  try {
    const value: unknown = JSON.parse(request.body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : null;
  } catch {
    return null;
  }
}

function textOf(body: Body, name: string): string {
  const value = body[name];
  return typeof value === 'string' ? value : '';
}

function verbs(list: readonly Verb[]): HttpReply {
  return { status: 200, contentType: 'application/json; charset=utf-8', body: JSON.stringify(list) };
}

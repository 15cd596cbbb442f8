import type { AfterStream, HttpReply, RawRequest, WebhookPort } from '../carrier.ts';
import { only, parseFormEvent } from '../form-events.ts';
import { type TwilioSettings, twilioAddresses } from './settings.ts';
import { type FormFields, parseForm, verifyWebhook } from './signature.ts';
import { dialDocument, hangupDocument, refusalDocument, streamDocument } from './twiml.ts';

const DIAL_REF = /^[A-Za-z0-9_-]{1,64}$/;

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
    parse: (request, kind) =>
      parseFormEvent(fieldsOf(request), kind, { carrier: 'twilio', dialRef: dialRefOf(request) }),
    accept: async (call, streamPath) => twiml(streamDocument(call, streamPath, addresses)),
    reject: async (_call, reason) => twiml(refusalDocument(reason)),
    continueWith: (plan: AfterStream) =>
      twiml(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, null, addresses)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

/** Exactly the fields whose signature was checked: of a GET the query's, otherwise the body's and nothing else. */
function fieldsOf(request: RawRequest): FormFields {
  if (request.method.toUpperCase() !== 'GET') return parseForm(request.body.toString('utf8'));
  return parseForm(queryOf(request));
}

/** The address that a placed call asks is ours, and has its `ref`; it is signed with the rest. */
function dialRefOf(request: RawRequest): string | null {
  const ref = only(parseForm(queryOf(request)), 'ref');
  return ref !== null && DIAL_REF.test(ref) ? ref : null;
}

function queryOf({ target }: RawRequest): string {
  const start = target.indexOf('?');
  return start === -1 ? '' : target.slice(start + 1);
}

function twiml(body: string): HttpReply {
  return { status: 200, contentType: 'text/xml; charset=utf-8', body };
}

import type { AfterStream, HttpReply, RawRequest, WebhookPort } from '../carrier.ts';
import { only, parseFormEvent } from '../form-events.ts';
import { streamBearer } from '../stream-bearer.ts';
import { type FormFields, parseForm } from '../twilio/signature.ts';
import { dialDocument, hangupDocument, refusalDocument, streamDocument } from './cxml.ts';
import { type SignalwireSettings, signalwireAddresses } from './settings.ts';
import { verifyWebhook } from './signature.ts';

const DIAL_REF = /^[A-Za-z0-9_-]{1,64}$/;

export function createSignalwireWebhook(settings: SignalwireSettings, publicUrl: string): WebhookPort {
  const addresses = signalwireAddresses(publicUrl);
  const { audio, signingKeys } = settings;
  return {
    refusedStatus: 403,
    /** Signed, but of another project than the configured one (or of none), is refused like a forgery. */
    verify(request) {
      const verdict = verifyWebhook(request, publicUrl, signingKeys);
      if (!verdict.ok) return verdict;
      const account = only(fieldsOf(request), 'AccountSid');
      return account === settings.projectId ? verdict : { ok: false, reason: 'mismatch' };
    },
    parse: (request, kind) =>
      parseFormEvent(fieldsOf(request), kind, { carrier: 'signalwire', dialRef: dialRefOf(request) }),
    async accept(call, path) {
      const bearer = streamBearer('signalwire', signingKeys[0] ?? '', path);
      return cxml(streamDocument(call, { path, bearer, audio }, addresses));
    },
    reject: async (_call, reason) => cxml(refusalDocument(reason)),
    continueWith: (plan: AfterStream) =>
      cxml(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, addresses)),
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

function cxml(body: string): HttpReply {
  return { status: 200, contentType: 'text/xml; charset=utf-8', body };
}

import type { AfterStream, WebhookPort } from '../carrier.ts';
import { parseFormEvent } from '../form-events.ts';
import { dialRefOf, fieldsOf, only, queryOf } from '../form-fields.ts';
import { streamBearer } from '../stream-bearer.ts';
import { dialDocument, hangupDocument, refusalDocument } from '../voice-markup.ts';
import { xmlReply } from '../xml.ts';
import { streamDocument } from './cxml.ts';
import { type SignalwireSettings, signalwireAddresses } from './settings.ts';
import { verifyWebhook } from './signature.ts';

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
      parseFormEvent(fieldsOf(request), kind, {
        carrier: 'signalwire',
        dialRef: dialRefOf(queryOf(request)),
      }),
    async accept(call, path) {
      const bearer = streamBearer('signalwire', signingKeys[0] ?? '', path);
      return xmlReply(streamDocument(call, { path, bearer, audio }, addresses));
    },
    reject: async (_call, reason) => xmlReply(refusalDocument(reason)),
    continueWith: (plan: AfterStream) =>
      xmlReply(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, null, addresses.after)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

import type { AfterStream, WebhookPort } from '../carrier.ts';
import { parseFormEvent } from '../form-events.ts';
import { dialRefOf, fieldsOf, only, queryOf } from '../form-fields.ts';
import { dialDocument, hangupDocument, refusalDocument } from '../voice-markup.ts';
import { xmlReply } from '../xml.ts';
import { type TwilioSettings, twilioAddresses } from './settings.ts';
import { verifyWebhook } from './signature.ts';
import { streamDocument } from './twiml.ts';

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
      parseFormEvent(fieldsOf(request), kind, { carrier: 'twilio', dialRef: dialRefOf(queryOf(request)) }),
    accept: async (call, streamPath) => xmlReply(streamDocument(call, streamPath, addresses)),
    reject: async (_call, reason) => xmlReply(refusalDocument(reason)),
    continueWith: (plan: AfterStream) =>
      xmlReply(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, null, addresses.after)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

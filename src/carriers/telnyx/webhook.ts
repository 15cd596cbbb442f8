import type { ApiDependencies } from '../api-client.ts';
import type { AfterStream, HttpReply, IncomingCall, RawRequest, WebhookPort } from '../carrier.ts';
import { parseFormEvent } from '../form-events.ts';
import { parseForm } from '../form-fields.ts';
import { parseObject } from '../json-messages.ts';
import { dialDocument, hangupDocument, refusalDocument } from '../voice-markup.ts';
import { xmlReply } from '../xml.ts';
import type { Answering } from './answer.ts';
import { parseCallEvent } from './call-events.ts';
import { type TelnyxSettings, telnyxAddresses } from './settings.ts';
import { readPublicKeys, verifySignature } from './signature.ts';
import { streamDocument, VOICE } from './texml.ts';

const OPEN_BRACE = 0x7b;
/** Of a TeXML request that names no account: what tells it from a Call Control event, which never does. */
const UNNAMED_ACCOUNT = 'texml';
const NO_CONTENT: HttpReply = { status: 200, contentType: 'application/json', body: '' };

/**
 * Both kinds of applications ask the same address: Call Control with JSON, whose calls are answered by commands and
 * whose answer's body nobody reads, and TeXML with forms, which are answered with a document.
 */
export function createTelnyxWebhook(
  settings: TelnyxSettings,
  publicUrl: string,
  answering: Answering,
  { clock }: Pick<ApiDependencies, 'clock'>,
): WebhookPort {
  const addresses = telnyxAddresses(publicUrl);
  const publicKeys = readPublicKeys(settings.publicKeys);
  return {
    refusedStatus: 403,
    /** No account is compared: the key is one account's own. A GET signs nothing but its time, so it is refused. */
    verify(request) {
      if (request.method.toUpperCase() !== 'POST') return { ok: false, reason: 'malformed' };
      return verifySignature(request, publicKeys, clock.epochMs());
    },
    parse(request, kind) {
      if (isJson(request)) return parseCallEvent(parseObject(request.body) ?? {});
      const event = parseFormEvent(parseForm(request.body.toString('utf8')), kind, { carrier: 'telnyx' });
      if (event.type !== 'call-incoming') return event;
      return { ...event, call: { ...event.call, accountId: event.call.accountId ?? UNNAMED_ACCOUNT } };
    },
    async accept(call, streamPath) {
      if (isTexml(call)) return xmlReply(streamDocument(call, streamPath, addresses, settings));
      await answering.accept(call, streamPath);
      return NO_CONTENT;
    },
    async reject(call, reason) {
      if (isTexml(call)) return xmlReply(refusalDocument(reason, VOICE));
      // Telnyx waits two seconds for an answer: less than the sentence takes.
      void answering.refuse(call, reason);
      return NO_CONTENT;
    },
    continueWith: (plan: AfterStream) =>
      xmlReply(plan.kind === 'hangup' ? hangupDocument() : dialDocument(plan.target, null, addresses.after)),
    acknowledge: () => NO_CONTENT,
  };
}

/** A form never begins with a brace: as a field's name it would be escaped. */
function isJson({ body }: RawRequest): boolean {
  return body[0] === OPEN_BRACE;
}

function isTexml(call: IncomingCall): boolean {
  return call.accountId !== null;
}

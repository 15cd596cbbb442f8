/** The verbs that answer documents of several carriers share: Twilio's, and those that were made after it. */
import type { RefusalReason } from './carrier.ts';
import { REFUSAL_SENTENCES } from './refusals.ts';
import { element, renderXml, type XmlElement } from './xml.ts';

/** How long a transfer rings before the caller is handed back to us, in seconds. */
export const RING_SECONDS = 30;
/** `<Parameter>` takes under 500 characters for name and value; SIP addresses can be longer than anybody reads. */
const MAX_PARAMETER_CHARACTERS = 400;
const VOICE = { language: 'en-US' };

export function response(...verbs: XmlElement[]): string {
  return renderXml(element('Response', {}, ...verbs));
}

export function parameter(name: string, value: string): XmlElement {
  return element('Parameter', { name, value: value.slice(0, MAX_PARAMETER_CHARACTERS) });
}

/** A spoken sentence instead of `<Reject>`, whose busy tone leaves the caller guessing. */
export function refusalDocument(
  reason: RefusalReason,
  voice: Readonly<Record<string, string>> = VOICE,
): string {
  return response(element('Say', voice, REFUSAL_SENTENCES[reason]), element('Hangup', {}));
}

export function hangupDocument(): string {
  return response(element('Hangup', {}));
}

/**
 * Dials E.164 or `sip:`; when that ends, answered or not, the carrier asks `after` with the result.
 * @param callerId whom the callee sees; null: what the carrier shows by itself
 */
export function dialDocument(target: string, callerId: string | null, after: string): string {
  return response(
    element(
      'Dial',
      {
        action: after,
        method: 'POST',
        timeout: String(RING_SECONDS),
        ...(callerId === null ? {} : { callerId }),
      },
      element(/^sips?:/i.test(target) ? 'Sip' : 'Number', {}, target),
    ),
  );
}

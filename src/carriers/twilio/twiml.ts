import type { IncomingCall, RefusalReason } from '../carrier.ts';
import { element, renderXml, type XmlElement } from '../xml.ts';
import type { TwilioAddresses } from './settings.ts';

/** Twilio's answer documents. Verbs and attributes: Twilio's TwiML reference, checked against `twilio` 6.2.0. */
const VOICE = { language: 'en-US' };
const REFUSALS: Readonly<Record<RefusalReason, string>> = {
  busy: 'All our lines are busy right now. Please call again in a few minutes. Goodbye.',
  draining: 'We are just being updated. Please call again in a minute. Goodbye.',
  'no-bot': 'Nobody answers at this number. Please check it and call again. Goodbye.',
  error: 'Something went wrong on our side. Please call again later. Goodbye.',
};

/** How long a transfer rings before the caller is handed back to us, in seconds. */
const RING_SECONDS = '30';
/** `<Parameter>` takes under 500 characters for name and value; SIP addresses can be longer than anybody reads. */
const MAX_PARAMETER_CHARACTERS = 400;

/**
 * Runs the stream until one side closes it; then Twilio asks `action` what comes next, so that an ended stream never
 * ends a call by itself. From and To travel as parameters because Twilio's `start` message has neither.
 */
export function streamDocument(call: IncomingCall, streamPath: string, addresses: TwilioAddresses): string {
  return response(
    element(
      'Connect',
      { action: addresses.after, method: 'POST' },
      element(
        'Stream',
        {
          url: addresses.stream(streamPath),
          statusCallback: addresses.events,
          statusCallbackMethod: 'POST',
        },
        parameter('from', call.from),
        parameter('to', call.to),
      ),
    ),
  );
}

/** A spoken sentence instead of `<Reject>`, whose busy tone leaves the caller guessing. */
export function refusalDocument(reason: RefusalReason): string {
  return response(element('Say', VOICE, REFUSALS[reason]), element('Hangup', {}));
}

export function hangupDocument(): string {
  return response(element('Hangup', {}));
}

/** Dials E.164 or `sip:`; when that ends, answered or not, Twilio asks `after` with the result. */
export function dialDocument(target: string, callerId: string | null, addresses: TwilioAddresses): string {
  return response(
    element(
      'Dial',
      {
        action: addresses.after,
        method: 'POST',
        timeout: RING_SECONDS,
        ...(callerId === null ? {} : { callerId }),
      },
      element(/^sips?:/i.test(target) ? 'Sip' : 'Number', {}, target),
    ),
  );
}

/** Replaces the running document, which ends the stream: `after` must be asked to open a new one. */
export function playDigitsDocument(digits: string, addresses: TwilioAddresses): string {
  return response(element('Play', { digits }), element('Redirect', { method: 'POST' }, addresses.after));
}

function parameter(name: string, value: string): XmlElement {
  return element('Parameter', { name, value: value.slice(0, MAX_PARAMETER_CHARACTERS) });
}

function response(...verbs: XmlElement[]): string {
  return renderXml(element('Response', {}, ...verbs));
}

import type { IncomingCall, RefusalReason } from '../carrier.ts';
import { REFUSAL_SENTENCES } from '../refusals.ts';
import { RING_SECONDS, response } from '../voice-markup.ts';
import { element } from '../xml.ts';
import { contentTypeOf, type PlivoAddresses, type PlivoAudio } from './settings.ts';

/** Plivo's answer documents. Elements and attributes: Plivo's XML reference, checked against `plivo` 4.79. */
const VOICE = { language: 'en-US' };

/** The longest that Plivo offers: how long a call may last is the bot's affair. */
const STREAM_SECONDS = '86400';

/**
 * Runs the stream until one side closes it (`keepCallAlive`; without it Plivo ends the call within seconds), then asks
 * `after` what comes next, so that an ended stream never ends a call by itself.
 */
export function streamDocument(
  call: IncomingCall,
  streamPath: string,
  audio: PlivoAudio,
  addresses: PlivoAddresses,
): string {
  const extraHeaders = particulars(call);
  return response(
    element(
      'Stream',
      {
        bidirectional: 'true',
        keepCallAlive: 'true',
        contentType: contentTypeOf(audio),
        streamTimeout: STREAM_SECONDS,
        statusCallbackUrl: addresses.events,
        statusCallbackMethod: 'POST',
        ...(extraHeaders === '' ? {} : { extraHeaders }),
      },
      addresses.stream(streamPath),
    ),
    element('Redirect', { method: 'POST' }, addresses.after),
  );
}

/** A spoken sentence instead of a busy tone, which would leave the caller guessing. */
export function refusalDocument(reason: RefusalReason): string {
  return response(element('Speak', VOICE, REFUSAL_SENTENCES[reason]), element('Hangup', {}));
}

/** Dials a number or `sip:`; when that ends, answered or not, Plivo asks `after` with the result. */
export function dialDocument(target: string, callerId: string | null, addresses: PlivoAddresses): string {
  return response(
    element(
      'Dial',
      {
        action: addresses.after,
        method: 'POST',
        timeout: String(RING_SECONDS),
        ...(callerId === null ? {} : { callerId: plivoNumber(callerId) }),
      },
      /^sips?:/i.test(target) ? element('User', {}, target) : element('Number', {}, plivoNumber(target)),
    ),
  );
}

/** Plivo writes E.164 without its plus. */
export function plivoNumber(number: string): string {
  return /^\+[0-9]+$/.test(number) ? number.slice(1) : number;
}

/** Plivo's `start` has neither number. Letters and digits are all that may stand in such a value; others are left out. */
function particulars({ from, to }: IncomingCall): string {
  return Object.entries({ from: plivoNumber(from), to: plivoNumber(to) })
    .filter(([, value]) => /^[A-Za-z0-9]{1,64}$/.test(value))
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

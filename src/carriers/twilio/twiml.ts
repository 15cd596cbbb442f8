import type { IncomingCall } from '../carrier.ts';
import { parameter, response } from '../voice-markup.ts';
import { element } from '../xml.ts';
import type { TwilioAddresses } from './settings.ts';

/** Twilio's answer documents. Verbs and attributes: Twilio's TwiML reference, checked against `twilio` 6.2.0. */

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

/** Replaces the running document, which ends the stream: `after` must be asked to open a new one. */
export function playDigitsDocument(digits: string, addresses: TwilioAddresses): string {
  return response(element('Play', { digits }), element('Redirect', { method: 'POST' }, addresses.after));
}

import type { IncomingCall, RefusalReason } from '../carrier.ts';
import { REFUSAL_SENTENCES } from '../refusals.ts';
import type { Links } from './links.ts';

/** Vonage's answer documents, call control objects: JSON lists of actions. Source: Vonage, "NCCO reference". */
const LANGUAGE = 'en-US';

/** How long a transfer rings before the caller is handed back to us, in seconds. */
const RING_SECONDS = 30;
/** All headers together may have 512 bytes; a character takes at most six of them in JSON. */
const MAX_HEADER_CHARACTERS = 32;

export type Ncco = readonly Readonly<Record<string, unknown>>[];

/**
 * Runs the stream. One action and no more: further ones could run as soon as the socket is up. With synchronous events
 * Vonage asks `after` when the socket ends, and the answer replaces this document. The `headers` come back in the
 * stream's first message, which has no call id otherwise.
 */
export function streamNcco(call: IncomingCall, streamPath: string, sampleRate: number, links: Links): Ncco {
  return [
    {
      action: 'connect',
      eventType: 'synchronous',
      eventMethod: 'POST',
      eventUrl: [links.after('stream', call.callId)],
      endpoint: [
        {
          type: 'websocket',
          uri: links.stream(streamPath),
          'content-type': `audio/l16;rate=${sampleRate}`,
          headers: { uuid: call.callId, from: header(call.from), to: header(call.to) },
          authorization: { type: 'vonage' },
        },
      ],
    },
  ];
}

/** The call ends where its document does. */
export function refusalNcco(reason: RefusalReason): Ncco {
  return [{ action: 'talk', text: REFUSAL_SENTENCES[reason], language: LANGUAGE }];
}

/** There is no action that hangs up, and an empty document counts as none: a moment of silence, and the call is over. */
export function hangupNcco(): Ncco {
  return [{ action: 'talk', text: '<speak><break time="0.1s"/></speak>', language: LANGUAGE }];
}

/**
 * Connects E.164 or `sip:`. `afterUrl` is asked with the result, and null where nobody could tell whose it is.
 * @param callerId a number of the account; any other shows as unknown
 */
export function transferNcco(target: string, callerId: string | null, afterUrl: string | null): Ncco {
  const endpoint = /^sips?:/i.test(target)
    ? { type: 'sip', uri: target }
    : { type: 'phone', number: withoutPlus(target) };
  return [
    {
      action: 'connect',
      timeout: RING_SECONDS,
      ...(callerId === null ? {} : { from: withoutPlus(callerId) }),
      ...(afterUrl === null ? {} : { eventType: 'synchronous', eventMethod: 'POST', eventUrl: [afterUrl] }),
      endpoint: [endpoint],
    },
  ];
}

/** Vonage writes E.164 without its plus. */
export function withoutPlus(number: string): string {
  return number.replace(/^\+/, '');
}

export function withPlus(address: string): string {
  return /^[1-9][0-9]{6,14}$/.test(address) ? `+${address}` : address;
}

function header(value: string): string {
  return value.slice(0, MAX_HEADER_CHARACTERS);
}

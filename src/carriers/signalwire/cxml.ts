import type { IncomingCall, MediaFormat, RefusalReason } from '../carrier.ts';
import { REFUSAL_SENTENCES } from '../refusals.ts';
import { element, renderXml, type XmlElement } from '../xml.ts';
import type { SignalwireAddresses } from './settings.ts';

/** SignalWire's answer documents. Verbs and attributes: SignalWire's cXML reference (Connect, Stream, Dial, Say). */
const VOICE = { language: 'en-US' };

/** How long a transfer rings before the caller is handed back to us, in seconds. */
const RING_SECONDS = '30';
const MAX_PARAMETER_CHARACTERS = 400;

/** `PCMU@8000h`, `L16@16000h`, `L16@24000h`. */
function codecName({ encoding, sampleRate }: MediaFormat): string {
  return `${encoding.toUpperCase()}@${sampleRate}h`;
}

/**
 * Runs the stream until one side closes it; then SignalWire asks `action` what comes next. That it does is documented of
 * `<Connect>`, but not what it does after a stream that broke off: where it just goes on, `<Redirect>` asks the same.
 * `realtime` is left out: playout is paced by us, so there are no bursts to be taken in.
 *
 * @param bearer what SignalWire is to show at the handshake
 */
export function streamDocument(
  call: IncomingCall,
  stream: { readonly path: string; readonly bearer: string; readonly audio: MediaFormat },
  addresses: SignalwireAddresses,
): string {
  return response(
    element(
      'Connect',
      { action: addresses.after, method: 'POST' },
      element(
        'Stream',
        {
          url: addresses.stream(stream.path),
          codec: codecName(stream.audio),
          authBearerToken: stream.bearer,
          statusCallback: addresses.events,
          statusCallbackMethod: 'POST',
        },
        parameter('from', call.from),
        parameter('to', call.to),
      ),
    ),
    element('Redirect', { method: 'POST' }, addresses.after),
  );
}

/** A spoken sentence instead of `<Reject>`, whose busy tone leaves the caller guessing. */
export function refusalDocument(reason: RefusalReason): string {
  return response(element('Say', VOICE, REFUSAL_SENTENCES[reason]), element('Hangup', {}));
}

export function hangupDocument(): string {
  return response(element('Hangup', {}));
}

/** Dials E.164 or `sip:`; when that ends, answered or not, SignalWire asks `after` with the result. */
export function dialDocument(target: string, addresses: SignalwireAddresses): string {
  return response(
    element(
      'Dial',
      { action: addresses.after, method: 'POST', timeout: RING_SECONDS },
      element(/^sips?:/i.test(target) ? 'Sip' : 'Number', {}, target),
    ),
  );
}

function parameter(name: string, value: string): XmlElement {
  return element('Parameter', { name, value: value.slice(0, MAX_PARAMETER_CHARACTERS) });
}

function response(...verbs: XmlElement[]): string {
  return renderXml(element('Response', {}, ...verbs));
}

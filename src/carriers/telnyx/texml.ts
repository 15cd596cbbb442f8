import type { IncomingCall, RefusalReason } from '../carrier.ts';
import { REFUSAL_SENTENCES } from '../refusals.ts';
import { element, renderXml, type XmlElement } from '../xml.ts';
import { CODEC_NAMES, type TelnyxAddresses, type TelnyxSettings } from './settings.ts';

/** Telnyx's answer documents. Verbs and attributes: Telnyx's TeXML reference (Connect, Stream, Dial, Say, Redirect). */
const VOICE = { voice: 'alice', language: 'en-US' };

/** How long a transfer rings before the caller is handed back to us, in seconds; 5 to 120. */
export const RING_SECONDS = 30;
const MAX_PARAMETER_CHARACTERS = 400;

/**
 * Runs the stream until one side closes it, then asks `after` what comes next: `<Connect>` has no `action`, but what
 * follows it is executed when the stream has stopped. Without `bidirectionalMode` Telnyx expects MP3 and plays nothing
 * of ours.
 */
export function streamDocument(
  call: IncomingCall,
  streamPath: string,
  addresses: TelnyxAddresses,
  { audio }: Pick<TelnyxSettings, 'audio'>,
): string {
  const codec = CODEC_NAMES[audio.encoding];
  return response(
    element(
      'Connect',
      {},
      element(
        'Stream',
        {
          url: addresses.stream(streamPath),
          track: 'inbound_track',
          codec,
          bidirectionalMode: 'rtp',
          bidirectionalCodec: codec,
          bidirectionalSamplingRate: String(audio.sampleRate),
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

/** Dials E.164 or `sip:`; when that ends, answered or not, Telnyx asks `after` with the result. */
export function dialDocument(target: string, addresses: TelnyxAddresses): string {
  return response(
    element(
      'Dial',
      { action: addresses.after, method: 'POST', timeout: String(RING_SECONDS) },
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

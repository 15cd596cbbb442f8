import type { IncomingCall } from '../carrier.ts';
import { parameter, response } from '../voice-markup.ts';
import { element } from '../xml.ts';
import { CODEC_NAMES, type TelnyxAddresses, type TelnyxSettings } from './settings.ts';

/** Telnyx's answer documents. Verbs and attributes: Telnyx's TeXML reference (Connect, Stream, Dial, Say, Redirect). */
export const VOICE = { voice: 'alice', language: 'en-US' };

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

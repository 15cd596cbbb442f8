import type { IncomingCall, MediaFormat } from '../carrier.ts';
import { parameter, response } from '../voice-markup.ts';
import { element } from '../xml.ts';
import type { SignalwireAddresses } from './settings.ts';

/** SignalWire's answer documents. Verbs and attributes: SignalWire's cXML reference (Connect, Stream, Dial, Say). */

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

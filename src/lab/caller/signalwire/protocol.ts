/**
 * SignalWire's streams from the carrier's side: Twilio's messages with less in them. Source: SignalWire, "cXML: Stream":
 * no `streamSid` beside `start` and in `media`, hardly anything in `stop`, and keys may be pressed on the stream.
 */
import { jsonFields } from '../api-server.ts';
import type { LineFormat } from '../line-format.ts';
import type { OpenProtocol } from '../protocol.ts';

export interface SignalwireStream {
  readonly accountSid: string;
  readonly callSid: string;
  readonly streamSid: string;
  readonly format: LineFormat;
  readonly parameters: Readonly<Record<string, string>>;
}

const DTMF_MS = 120;

export function signalwireProtocol(stream: SignalwireStream): OpenProtocol {
  const { accountSid, callSid, streamSid, format } = stream;
  return (host) => {
    let sequence = 0;
    const say = (event: string, fields: Readonly<Record<string, unknown>>, frame?: number): void => {
      sequence += 1;
      host.send(event, JSON.stringify({ event, sequenceNumber: String(sequence), ...fields }), frame);
    };
    const play = (media: unknown): void => {
      const payload = (media as { payload?: unknown } | null | undefined)?.payload;
      const audio = Buffer.from(typeof payload === 'string' ? payload : '', 'base64');
      // Node decodes leniently; what does not encode back was not base64.
      if (audio.toString('base64') !== payload) host.invalid('media without a base64 payload');
      else if (audio.length % format.bytesPerSample !== 0) host.invalid('half a sample');
      else host.play(audio);
    };

    return {
      sent: format,
      playout: { format, mostQueuedMs: 60_000 },
      start() {
        const encoding = format.encoding === 'pcmu' ? 'audio/x-mulaw' : 'audio/x-L16';
        host.send('connected', JSON.stringify({ event: 'connected', protocol: 'Call', version: '0.2.0' }));
        say('start', {
          start: {
            streamSid,
            accountSid,
            callSid,
            tracks: ['inbound'],
            customParameters: stream.parameters,
            mediaFormat: { encoding, sampleRate: format.sampleRate, channels: 1 },
          },
        });
      },
      media({ number, startMs, payload }) {
        const media = {
          track: 'inbound',
          chunk: String(number + 1),
          timestamp: String(startMs),
          payload: payload.toString('base64'),
        };
        say('media', { media }, number);
      },
      dtmf: (digit) => say('dtmf', { streamSid, dtmf: { digit, duration: DTMF_MS } }),
      receive(data, isBinary) {
        const message = jsonFields(isBinary ? '' : data.toString());
        const { event, mark, dtmf } = message;
        const name = (mark as { name?: unknown } | null | undefined)?.name;
        const digit = (dtmf as { digit?: unknown } | null | undefined)?.digit;
        if (message['streamSid'] !== streamSid) host.invalid('streamSid of another stream');
        else if (event === 'media') play(message['media']);
        else if (event === 'clear') host.clear();
        else if (event === 'mark' && typeof name === 'string' && name !== '') host.mark(name);
        else if (event === 'dtmf' && typeof digit === 'string' && /^[0-9*#A-D]$/.test(digit))
          host.digits(digit);
        else host.invalid('no event that is known, or not whole');
      },
      marked: (name) => say('mark', { streamSid, mark: { name } }),
      cleared: () => {},
      tick: () => {},
      stop: () => say('stop', {}),
    };
  };
}

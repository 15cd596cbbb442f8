/**
 * Vonage's websocket endpoint from the carrier's side: L16 in frames of exactly 20 ms both ways, events as JSON. A frame
 * of another size breaks the connection off without a close; at a clear, notifies that wait are gone.
 */
import { jsonFields } from '../api-server.ts';
import { FRAME_MS, lineFormat, type SampleRate } from '../line-format.ts';
import type { OpenProtocol } from '../protocol.ts';

/** Vonage buffers so many messages. */
const MOST_MESSAGES = 3_072;
const DTMF_MS = 260;

export interface VonageStream {
  readonly sampleRate: SampleRate;
  readonly headers: Readonly<Record<string, unknown>>;
  /** The first audio overtakes the first event, as was seen on real calls. */
  readonly earlyFrame?: boolean;
}

export function vonageProtocol({ sampleRate, headers, earlyFrame = false }: VonageStream): OpenProtocol {
  return (host) => {
    const format = lineFormat('l16', sampleRate);
    /** Notifies come back in their order, with what was in them. */
    const payloads: unknown[] = [];
    let connectedSaid = false;
    const sayConnected = (): void => {
      connectedSaid = true;
      const event = { event: 'websocket:connected', 'content-type': `audio/l16;rate=${sampleRate}` };
      host.send('websocket:connected', JSON.stringify({ ...event, ...headers }));
    };

    const command = (text: string): void => {
      const { action, payload } = jsonFields(text);
      if (action === 'clear') host.clear();
      else if (action === 'notify' && typeof payload === 'object' && payload !== null) {
        payloads.push(payload);
        const { id } = payload as { id?: unknown };
        host.mark(typeof id === 'string' ? id : JSON.stringify(payload));
      } else host.invalid(action === 'notify' ? 'notify without a payload' : 'no action that is known');
    };

    return {
      sent: format,
      playout: { format, mostQueuedMs: MOST_MESSAGES * FRAME_MS },
      start() {
        if (!earlyFrame) sayConnected();
      },
      media({ number, payload }) {
        host.send('media', payload, number);
        if (!connectedSaid) sayConnected();
      },
      dtmf(digit) {
        const event = { event: 'websocket:dtmf', digit, duration: DTMF_MS };
        host.send('websocket:dtmf', JSON.stringify(event));
      },
      receive(data, isBinary) {
        if (!isBinary) command(data.toString());
        else if (data.length === format.frameBytes) host.play(data);
        else {
          const why = `unexpected frame size ${data.length}, when required ${format.frameBytes}`;
          host.invalid(why);
          host.drop(why);
        }
      },
      marked(_name, how) {
        const payload = payloads.shift();
        if (how === 'played') {
          host.send('websocket:notify', JSON.stringify({ event: 'websocket:notify', payload }));
        }
      },
      cleared: () => host.send('websocket:cleared', JSON.stringify({ event: 'websocket:cleared' })),
      tick: () => {},
      stop: () => {},
    };
  };
}

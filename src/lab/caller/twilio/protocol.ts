/** Twilio Media Streams from the carrier's side: mu-law in JSON, and marks that come back at a clear as if played. */
import { PLAIN_PLAYOUT } from '../playout-buffer.ts';
import type { OpenProtocol } from '../protocol.ts';
import {
  connectedMessage,
  dtmfMessage,
  markMessage,
  mediaMessage,
  readGatewayMessage,
  type StreamIds,
  startMessage,
  stopMessage,
} from './messages.ts';

export function twilioProtocol(ids: StreamIds, parameters: Readonly<Record<string, string>>): OpenProtocol {
  return (host) => {
    let sequence = 0;
    const next = (): number => {
      sequence += 1;
      return sequence;
    };
    return {
      sent: PLAIN_PLAYOUT.format,
      playout: PLAIN_PLAYOUT,
      start() {
        host.send('connected', connectedMessage());
        host.send('start', startMessage(ids, next(), parameters));
      },
      media({ number, startMs, payload }) {
        const media = { chunk: number + 1, timestampMs: startMs, payload };
        host.send('media', mediaMessage(ids, next(), media), number);
      },
      dtmf: (digit) => host.send('dtmf', dtmfMessage(ids, next(), digit)),
      receive(data, isBinary) {
        const message = readGatewayMessage(isBinary ? '' : data.toString(), ids.streamSid);
        if (message.event === 'media') host.play(message.payload);
        else if (message.event === 'mark') host.mark(message.name);
        else if (message.event === 'clear') host.clear();
        else host.invalid(message.why);
      },
      marked: (name) => host.send('mark', markMessage(ids, next(), name)),
      cleared: () => {},
      tick: () => {},
      stop: () => host.send('stop', stopMessage(ids, next())),
    };
  };
}

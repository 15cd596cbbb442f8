/**
 * jambonz's `listen` from the carrier's side: raw L16 both ways and JSON beside it; how it is played is in `queue.ts`.
 * Thirty marks may be under way, and they survive only where audio comes at the call's own rate.
 */
import { jsonFields } from '../api-server.ts';
import { lineFormat, type SampleRate } from '../line-format.ts';
import type { OpenProtocol } from '../protocol.ts';
import { JambonzQueue } from './queue.ts';

const MOST_MARKS = 30;
/** In RTP units: 200 ms at 8 kHz. */
const DTMF_DURATION = '1600';

export interface JambonzStream {
  /** Everything of the first message. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sentRate: SampleRate;
  readonly heardRate: SampleRate;
  /** Of the call's codec: between two rates marks are lost. */
  readonly callRate: SampleRate;
  readonly isStreaming: boolean;
  readonly passDtmf: boolean;
}

export function jambonzProtocol(stream: JambonzStream): OpenProtocol {
  const heard = lineFormat('l16', stream.heardRate);
  const keepsMarks = stream.heardRate === stream.callRate;
  return (host) => {
    /** A sample whose second byte has not come. */
    let odd: Buffer = Buffer.alloc(0);

    const takeAudio = (data: Buffer): void => {
      if (!stream.isStreaming) {
        host.invalid('raw audio to a listen without bidirectional streaming is not played');
        return;
      }
      const all = odd.length > 0 ? Buffer.concat([odd, data]) : data;
      const whole = all.length - (all.length % 2);
      odd = Buffer.from(all.subarray(whole));
      if (whole > 0) host.play(all.subarray(0, whole));
    };
    const takeMark = (data: unknown): void => {
      const name = (data as { name?: unknown } | null | undefined)?.name;
      if (typeof name !== 'string' || name === '') host.invalid('mark without a name');
      else if (host.pendingMarks >= MOST_MARKS) host.invalid(`more than ${MOST_MARKS} marks: one is lost`);
      else if (!keepsMarks) host.invalid('a mark in audio of another rate than the call’s: it is lost');
      else host.mark(name);
    };
    const say = (type: string, data: object): void => {
      host.send(type, JSON.stringify({ type, data }));
    };

    return {
      sent: lineFormat('l16', stream.sentRate),
      playout: {
        format: heard,
        mostQueuedMs: 60_000,
        createQueue: (onMark) => new JambonzQueue(onMark),
      },
      start: () => host.send('metadata', JSON.stringify(stream.metadata)),
      media: ({ number, payload }) => host.send('media', payload, number),
      dtmf(digit) {
        if (!stream.passDtmf) return;
        host.send('dtmf', JSON.stringify({ event: 'dtmf', dtmf: digit, duration: DTMF_DURATION }));
      },
      receive(message, isBinary) {
        if (isBinary) {
          takeAudio(message);
          return;
        }
        const { type, data } = jsonFields(message.toString());
        if (type === 'killAudio') host.clear();
        else if (type === 'mark') takeMark(data);
        else if (type === 'clearMarks') host.count('clearMarks');
        else if (type === 'disconnect') {
          host.count('disconnect');
          host.leave('disconnect');
        } else host.invalid('no type that is known');
      },
      marked: (name, how) => say('mark', { name, event: how === 'played' ? 'playout' : 'cleared' }),
      cleared: () => {},
      tick: () => {},
      stop: () => {},
    };
  };
}

/**
 * Asterisk's chan_websocket from the PBX's side: raw audio and short commands. What was seen on Asterisk 22.10: the queue
 * holds whole frames of 20 ms, and without buffering the rest of a message is lost; a full queue loses messages without
 * a word; FLUSH_MEDIA drops marks, ends buffering and forgets the rest; commands over 128 bytes are not read.
 */
import { FRAME_MS } from '../line-format.ts';
import type { OpenProtocol } from '../protocol.ts';
import { type AsteriskAccount, codecFormat } from './settings.ts';
import { type AsteriskCommand, type AsteriskEvent, JSON_WORDS, PLAIN_WORDS } from './words.ts';

const XOFF_FRAMES = 900;
const XON_FRAMES = 800;
const MOST_FRAMES = 1_000;
const MOST_COMMAND_BYTES = 128;
const MOST_MESSAGE_BYTES = 65_500;

export interface AsteriskChannel extends Pick<AsteriskAccount, 'codec' | 'control' | 'packetMs'> {
  /** Of the WebSocket channel, not of the phone's. */
  readonly channelId: string;
  /** The section of websocket_client.conf: the same for all calls. */
  readonly connectionId: string;
}

export function asteriskProtocol(channel: AsteriskChannel): OpenProtocol {
  const { codec = 'ulaw', control = 'json', packetMs = 20, channelId, connectionId } = channel;
  const words = control === 'json' ? JSON_WORDS : PLAIN_WORDS;
  const format = codecFormat(codec);
  return (host) => {
    let buffering = false;
    let rest: Buffer = Buffer.alloc(0);
    let isOff = false;
    let isPaused = false;
    let drainWanted = false;
    /** Ticks at which nothing was left to take. */
    let emptyTicks = 0;
    /** What comes back with the marks, in their order. */
    const notices: AsteriskEvent[] = [];
    let packet: Buffer[] = [];

    const queuedFrames = (): number => Math.ceil(host.queuedMs / FRAME_MS);
    const say = (event: AsteriskEvent, fields: Readonly<Record<string, unknown>> = {}): void => {
      host.send(event, words.write(event, { channel_id: channelId, ...fields }));
    };

    const takeAudio = (data: Buffer): void => {
      if (data.length > MOST_MESSAGE_BYTES) {
        host.invalid(`a message of ${data.length} bytes: the call ends`);
        host.drop('message too long');
        return;
      }
      if (queuedFrames() >= MOST_FRAMES) {
        host.invalid('the queue is full: a message is lost');
        return;
      }
      const all = buffering && rest.length > 0 ? Buffer.concat([rest, data]) : data;
      const whole = all.length - (all.length % format.frameBytes);
      if (buffering) rest = Buffer.from(all.subarray(whole));
      else if (whole < all.length) {
        host.invalid(`${all.length - whole} bytes are no whole frame and are lost`);
      }
      if (whole === 0) return;
      host.play(all.subarray(0, whole));
      emptyTicks = 0;
      if (!isOff && queuedFrames() >= XOFF_FRAMES) {
        isOff = true;
        say('MEDIA_XOFF');
      }
    };
    const stopBuffering = (correlationId: string): void => {
      if (rest.length > 0) {
        // A frame of its own, which takes its 20 ms however short it is.
        const short = Buffer.alloc(format.frameBytes, format.silence);
        rest.copy(short);
        host.play(short);
      }
      buffering = false;
      rest = Buffer.alloc(0);
      notices.push('MEDIA_BUFFERING_COMPLETED');
      host.notice(correlationId);
    };
    const flush = (): void => {
      buffering = false;
      rest = Buffer.alloc(0);
      host.clear();
      emptyTicks = 1;
    };
    const pause = (paused: boolean): void => {
      isPaused = paused;
      host.pause(paused);
    };

    const sayStatus = (): void => {
      say('STATUS', {
        queue_length: queuedFrames(),
        xon_level: XON_FRAMES,
        xoff_level: XOFF_FRAMES,
        queue_full: isOff,
        bulk_media: buffering,
        media_paused: isPaused,
      });
    };
    const commands: Readonly<Record<string, (correlationId: string) => void>> = {
      HANGUP: () => host.hangUp('HANGUP'),
      START_MEDIA_BUFFERING: () => {
        buffering = true;
      },
      STOP_MEDIA_BUFFERING: stopBuffering,
      REPORT_QUEUE_DRAINED: () => {
        drainWanted = true;
      },
      PAUSE_MEDIA: () => pause(true),
      CONTINUE_MEDIA: () => pause(false),
      GET_STATUS: sayStatus,
      ANSWER: () => {},
      SET_MEDIA_DIRECTION: () => {},
    };
    const obey = ({ command, correlationId }: AsteriskCommand): void => {
      if (command === 'MARK_MEDIA') {
        notices.push('MEDIA_MARK_PROCESSED');
        host.mark(correlationId);
      } else if (command === 'FLUSH_MEDIA') flush();
      else if (Object.hasOwn(commands, command)) {
        host.count(command);
        commands[command]!(correlationId);
      } else host.invalid('an unknown command');
    };
    const takeCommand = (text: string): void => {
      const bytes = Buffer.byteLength(text);
      const command = bytes > MOST_COMMAND_BYTES ? null : words.read(text);
      if (command !== null) obey(command);
      else if (bytes > MOST_COMMAND_BYTES) host.invalid(`a command of ${bytes} bytes is not read`);
      else {
        host.invalid('no command');
        say('ERROR', { error_text: 'Unable to parse JSON command' });
      }
    };

    return {
      sent: format,
      playout: { format, mostQueuedMs: 60_000 },
      start() {
        const fields = {
          connection_id: connectionId,
          channel: `WebSocket/${connectionId}/0x7f3c08001230`,
          channel_id: channelId,
          format: codec,
          optimal_frame_size: format.frameBytes,
          ptime: FRAME_MS,
          channel_variables: { MEDIA_WEBSOCKET_CONNECTION_ID: connectionId },
        };
        host.send('MEDIA_START', words.write('MEDIA_START', fields));
      },
      media({ number, payload }) {
        if (packetMs === 10) {
          const half = payload.length / 2;
          host.send('media', payload.subarray(0, half));
          host.send('media', payload.subarray(half), number);
          return;
        }
        packet.push(payload);
        if (packet.length * FRAME_MS < packetMs) return;
        const whole = packet.length === 1 ? payload : Buffer.concat(packet);
        packet = [];
        host.send('media', whole, number);
      },
      dtmf: (digit) => say('DTMF_END', { digit }),
      receive: (data, isBinary) => (isBinary ? takeAudio(data) : takeCommand(data.toString())),
      marked(name, how) {
        const notice = notices.shift();
        if (how === 'played' && notice !== undefined) say(notice, { correlation_id: name });
      },
      cleared: () => {},
      tick() {
        emptyTicks = host.queuedMs === 0 && !isPaused ? emptyTicks + 1 : 0;
        if (drainWanted && emptyTicks > 1) {
          drainWanted = false;
          say('QUEUE_DRAINED');
        }
        if (isOff && queuedFrames() < XON_FRAMES) {
          isOff = false;
          say('MEDIA_XON');
        }
      },
      stop: () => {},
    };
  };
}

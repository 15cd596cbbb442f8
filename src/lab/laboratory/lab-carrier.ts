/**
 * The carrier of the laboratory: as Twilio behaves, with messages that cost nothing to read. Audio goes as bytes behind a
 * head of sixteen, everything else as a line of text.
 */
import type {
  CarrierAdapter,
  CarrierCapabilities,
  ControlPort,
  MediaEvent,
  MediaFormat,
  MediaPort,
} from '../../carriers/carrier.ts';
import { createMarkJudge } from '../../carriers/echoed-marks.ts';

export const CAPABILITIES: CarrierCapabilities = {
  exactFrameMs: null,
  packetMs: 60,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'echoed',
  acknowledgesClear: false,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'none',
  hangup: 'api',
  transfer: 'none',
  transferReports: false,
  detectsMachines: false,
  closeEndsCall: false,
  outlivesStream: false,
  sendsContinuously: true,
};

/** What the carrier sends, and what it plays. */
export interface LineFormats {
  readonly receive: MediaFormat;
  readonly send: MediaFormat;
}

/** Nothing is converted on the way up or down, so that counted samples stay what they are. */
export const COUNTED: LineFormats = {
  receive: { encoding: 'l16', sampleRate: 16_000 },
  send: { encoding: 'l16', sampleRate: 24_000 },
};
export const TELEPHONE: LineFormats = {
  receive: { encoding: 'pcmu', sampleRate: 8_000 },
  send: { encoding: 'pcmu', sampleRate: 8_000 },
};

const HEAD_BYTES = 16;

export type CarrierWord =
  | { readonly event: 'start'; readonly callId: string; readonly streamId: string }
  | { readonly event: 'mark'; readonly name: string }
  | { readonly event: 'dtmf'; readonly digit: string }
  | { readonly event: 'stop' };

/** One frame of the caller's. */
export function mediaMessage(mediaTimeMs: number, payload: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  message.writeDoubleLE(mediaTimeMs, 0);
  message.set(payload, HEAD_BYTES);
  return message;
}

export const CLEAR = 'clear';
export const MARK_PREFIX = 'mark ';

function createMediaPort(formats: LineFormats): MediaPort {
  const marks = createMarkJudge();
  return {
    decode(data, isBinary): readonly MediaEvent[] {
      if (isBinary) {
        return [{ type: 'audio', payload: data.subarray(HEAD_BYTES), mediaTimeMs: data.readDoubleLE(0) }];
      }
      const word = JSON.parse(data.toString()) as CarrierWord;
      switch (word.event) {
        case 'start':
          return [
            {
              type: 'started',
              start: { callId: word.callId, streamId: word.streamId, parameters: {}, ...formats },
            },
          ];
        case 'mark':
          return [{ type: 'mark', name: word.name, outcome: marks.echoed(word.name) }];
        case 'dtmf':
          return [{ type: 'dtmf', digit: word.digit }];
        case 'stop':
          return [{ type: 'stopped' }];
      }
    },
    encode(command) {
      switch (command.type) {
        case 'audio':
          // The payload is a view into playout's queue.
          return [Buffer.from(command.payload)];
        case 'mark':
          marks.sent(command.name);
          return [`${MARK_PREFIX}${command.name}`];
        case 'clear':
          marks.cleared();
          return [CLEAR];
        default:
          return [];
      }
    },
  };
}

export function createLabCarrier(formats: LineFormats, hangup: ControlPort['hangup']): CarrierAdapter {
  return {
    id: 'twilio',
    capabilities: CAPABILITIES,
    webhook: null,
    upgrade: { authorize: () => ({ ok: true }), refusedStatus: 403, subprotocols: [] },
    control: { hangup, transfer: async () => 'unsupported', sendDtmf: async () => 'unsupported' },
    tokenSecrets: ['laboratory'],
    createMediaPort: () => createMediaPort(formats),
  };
}

import type { WebhookEvent } from '../carrier.ts';
import { answererOf } from '../form-events.ts';
import { isObject, type Message } from '../json-messages.ts';
import { readDialState, readTransferState } from './client-state.ts';

/**
 * Call Control's events. Source: Telnyx, "Voice API webhooks", and the webhook types of the `telnyx` package 7.24. All
 * of them come to one address. Their names have been seen with underscores in the place of dots.
 *
 *   a call comes in    call.initiated (direction incoming), call.answered once we have answered it, call.hangup
 *   a call we placed   call.initiated (direction outgoing), call.answered: only now it can be given a stream
 *   a transfer         the same events for the second leg, which has a state of its own
 */
const CALL_ID = /^[A-Za-z0-9_:.=+-]{1,128}$/;
const MAX_ADDRESS_CHARACTERS = 255;
const MAX_DETAIL_CHARACTERS = 200;
/** Hang-up causes of a leg that was talked on: everything else means that nobody answered. */
const TALKED = new Set(['normal_clearing', 'time_limit']);

/** Never throws; what is not understood is `ignored`. */
export function parseCallEvent(message: Message): WebhookEvent {
  const data = isObject(message['data']) ? message['data'] : {};
  const payload = isObject(data['payload']) ? data['payload'] : {};
  const callId = textOf(payload, 'call_control_id', 129);
  if (!CALL_ID.test(callId)) return { type: 'ignored', what: 'an event without a call' };
  const transferred = readTransferState(payload['client_state']);
  const name = textOf(data, 'event_type', 64).replaceAll('_', '.');
  if (transferred !== null) return parseOtherLeg(name, payload, transferred);
  switch (name) {
    case 'call.initiated':
      if (payload['direction'] === 'incoming') return incoming(payload, callId, null);
      return { type: 'ignored', what: 'a call that is being placed' };
    case 'call.answered': {
      const ref = readDialState(payload['client_state']);
      return ref === null ? { type: 'call-answered', callId } : incoming(payload, callId, ref);
    }
    case 'call.hangup':
      return { type: 'call-ended', callId, status: causeOf(payload) };
    case 'call.machine.detection.ended':
    case 'call.machine.premium.detection.ended':
      return { type: 'call-answered', callId, by: answererOf(textOf(payload, 'result', 64)) };
    case 'streaming.started':
      return { type: 'stream-started', callId };
    case 'streaming.stopped':
      return { type: 'stream-stopped', callId };
    case 'streaming.failed': {
      const detail = textOf(payload, 'failure_reason', MAX_DETAIL_CHARACTERS) || 'no reason given';
      return { type: 'stream-failed', callId, detail };
    }
    default:
      return { type: 'ignored', what: 'an event of another kind' };
  }
}

/** The leg that a transfer rang: its end tells what became of the transfer. The caller's own leg is `callId`. */
function parseOtherLeg(name: string, payload: Message, callId: string): WebhookEvent {
  if (name !== 'call.hangup') return { type: 'ignored', what: 'an event of the other leg of a transfer' };
  const transfer = TALKED.has(causeOf(payload)) ? 'answered' : 'unanswered';
  return { type: 'stream-continuation', callId, transfer };
}

function incoming(payload: Message, callId: string, dialRef: string | null): WebhookEvent {
  return {
    type: 'call-incoming',
    call: {
      carrier: 'telnyx',
      callId,
      accountId: null,
      from: textOf(payload, 'from', MAX_ADDRESS_CHARACTERS),
      to: textOf(payload, 'to', MAX_ADDRESS_CHARACTERS),
      ...(dialRef === null ? { direction: 'inbound' } : { direction: 'outbound', dialRef }),
    },
  };
}

function causeOf(payload: Message): string {
  const cause = textOf(payload, 'hangup_cause', 64);
  return /^[a-z_]+$/.test(cause) ? cause : 'unspecified';
}

function textOf(part: Message, name: string, maxCharacters: number): string {
  const value = part[name];
  return typeof value === 'string' ? value.slice(0, maxCharacters) : '';
}

/**
 * Telnyx over Call Control: signed events, all to one address, whose answers say nothing; what is to happen the gateway
 * says over the API. A closed stream ends nothing.
 */
import { randomUUID } from 'node:crypto';
import { OffhookError } from '../../../errors.ts';
import type {
  CallContext,
  CallControl,
  CalleeOutcome,
  CarrierSide,
  Next,
  StreamPlan,
} from '../carrier-side.ts';
import { expectAnswer, type GatewayAnswer } from '../gateway-http.ts';
import type { TelnyxAccount } from './account.ts';
import type { TelnyxCommand, TelnyxRefusal } from './api.ts';
import { CommandQueue } from './commands.ts';
import { agreeFormats } from './formats.ts';
import { telnyxProtocol } from './protocol.ts';
import { telnyxHeaders } from './signature.ts';

const EVENTS = '/telnyx/voice';
const HANGUP_CAUSE: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'normal_clearing',
  busy: 'user_busy',
  'no-answer': 'timeout',
};
/** Fields that other commands have, and this one has not: what is asked for with them does not happen. */
const NOT_OF_ANSWER = ['stream_auth_token', 'stream_bidirectional_sampling_rate', 'custom_parameters'];

export function createCallControlSide(account: TelnyxAccount, call: CallContext): CarrierSide {
  return new CallControlSide(account, call);
}

class CallControlSide implements CarrierSide {
  readonly carrier = 'telnyx';
  readonly callId: string;
  readonly #account: TelnyxAccount;
  readonly #call: CallContext;
  readonly #sessionId = randomUUID();
  readonly #commands: CommandQueue;
  #control: CallControl | null = null;
  #clientState: string | null = null;
  #isAnswered = false;
  /** Until the first stream, or the end, commands are waited for; afterwards they break in. */
  #isRinging = true;
  #streamId = '';

  constructor(account: TelnyxAccount, call: CallContext) {
    this.#account = account;
    this.#call = call;
    this.#commands = new CommandQueue(call.clock);
    this.callId = account.dialled?.call.callId ?? `v3:${randomUUID()}`;
    this.#clientState = text(account.dialled?.call.fields ?? {}, 'client_state') || null;
  }

  async ring(): Promise<Next> {
    const { dialled, answerWithinMs = 10_000 } = this.#account;
    if (dialled === undefined) {
      const answer = await this.#event('call.initiated', { state: 'parked' });
      expectAnswer({ ...answer, status: answer.status < 300 ? 200 : answer.status }, 403);
    } else {
      const picked = await this.#pickUp(dialled.call.fields, dialled.by);
      if (picked !== null) return picked;
    }
    let said = '';
    for (;;) {
      const command = await this.#commands.next(answerWithinMs);
      if (command === null) {
        if (said !== '') return { do: 'hang-up', detail: said };
        throw new OffhookError(
          'ERR_CALL',
          `Cannot place the call: the gateway took the event and did nothing for "${answerWithinMs}" ms; an answer over the API is wanted.`,
        );
      }
      if (command.name === 'speak') said = text(command.fields, 'payload');
      const next = await this.#begin(command);
      if (next === null) continue;
      this.#isRinging = false;
      return next.do === 'hang-up' && said !== '' ? { do: 'hang-up', detail: said } : next;
    }
  }

  async afterStream(): Promise<Next> {
    return { do: 'stay', detail: 'the stream is closed, the call is not' };
  }

  async afterTransfer(outcome: CalleeOutcome): Promise<Next> {
    const callee = {
      call_control_id: `v3:${randomUUID()}`,
      call_leg_id: randomUUID(),
      direction: 'outgoing',
    };
    await this.#event('call.hangup', { ...callee, hangup_cause: HANGUP_CAUSE[outcome] });
    return outcome === 'answered'
      ? { do: 'hang-up', detail: 'the callee hangs up' }
      : { do: 'stay', detail: `the callee: ${outcome}` };
  }

  tell(what: 'stream-started' | 'stream-stopped' | 'ended'): readonly Promise<GatewayAnswer>[] {
    if (what === 'ended') {
      return [this.#event('call.hangup', { hangup_cause: 'normal_clearing', hangup_source: 'caller' })];
    }
    const type = what === 'stream-started' ? 'streaming.started' : 'streaming.stopped';
    return [this.#event(type, { stream_id: this.#streamId })];
  }

  register(control: CallControl): () => void {
    this.#control = control;
    const forget = this.#account.api?.register(this.callId, {
      check: (command) => this.#check(command),
      obey: (command) => {
        if (this.#isRinging) this.#commands.push(command);
        else this.#breakIn(command, control);
      },
    });
    return () => forget?.();
  }

  /** What the gateway has placed is answered: with a stream at once, where it was asked for. */
  async #pickUp(fields: TelnyxCommand['fields'], by: 'person' | 'machine'): Promise<Next | null> {
    await this.#event('call.initiated', { state: 'bridging' });
    this.#isAnswered = true;
    const detects = text(fields, 'answering_machine_detection');
    const tellWho = async (): Promise<void> => {
      if (detects === '' || detects === 'disabled') return;
      await this.#event('call.machine.detection.ended', { result: by === 'person' ? 'human' : 'machine' });
    };
    if (text(fields, 'stream_url') === '') {
      await this.#event('call.answered', {});
      await tellWho();
      return null;
    }
    this.#isRinging = false;
    const plan = this.#planOf(fields, async () => {
      await this.#event('call.answered', {});
      await tellWho();
    });
    return plan === null ? { do: 'hang-up', detail: 'no such codec' } : { do: 'stream', plan };
  }

  /** Why a command is refused at the API. */
  #check({ name, fields }: TelnyxCommand): TelnyxRefusal | null {
    if (name === 'answer' && this.#call.direction === 'outbound') {
      return { code: '90102', title: 'An outbound call cannot be answered' };
    }
    if (name === 'answer' && this.#isAnswered) return { code: '90034', title: 'Call is already answered' };
    if (name === 'streaming_start' && !this.#isAnswered) {
      return { code: '90034', title: 'Call is not answered yet' };
    }
    const hasStream = text(fields, 'stream_url') !== '';
    if (name === 'streaming_start' && !hasStream) return { code: '10015', title: 'stream_url is wanted' };
    if (hasStream && agreeFormats(wishesOf(fields), this.#account) === null) {
      return { code: '10015', title: 'no such codec or rate' };
    }
    if (name === 'transfer' && text(fields, 'to') === '') return { code: '10015', title: 'to is wanted' };
    return null;
  }

  /** A command while the phone rings; null when more is to come. */
  async #begin({ name, fields }: TelnyxCommand): Promise<Next | null> {
    this.#clientState = text(fields, 'client_state') || this.#clientState;
    if (name === 'answer') {
      this.#isAnswered = true;
      for (const field of NOT_OF_ANSWER) {
        if (field in fields) this.#control?.invalid(`"answer" has no field "${field}"`);
      }
      if (text(fields, 'stream_url') === '') {
        await this.#event('call.answered', {});
        return null;
      }
    }
    if (name === 'answer' || name === 'streaming_start') {
      // With `answer` the socket is opened at once, and the call may be answered later than that.
      const late = name === 'answer' ? async () => void (await this.#event('call.answered', {})) : undefined;
      const plan = this.#planOf(fields, late);
      return plan === null ? { do: 'hang-up', detail: 'no such codec' } : { do: 'stream', plan };
    }
    if (name === 'speak') {
      await this.#event('call.speak.ended', {});
      return null;
    }
    if (name === 'reject') return { do: 'hang-up', detail: `rejected: ${text(fields, 'cause')}` };
    if (name === 'hangup') return { do: 'hang-up', detail: 'hangup' };
    if (name === 'transfer') return { do: 'transfer', target: text(fields, 'to'), detail: 'transfer' };
    return null;
  }

  /** A command while the call is up. */
  #breakIn({ name, fields }: TelnyxCommand, control: CallControl): void {
    this.#clientState = text(fields, 'client_state') || this.#clientState;
    if (name === 'hangup') control.hangUp('actions/hangup');
    else if (name === 'send_dtmf') control.digits(text(fields, 'digits'));
    else if (name === 'transfer') {
      control.proceed({ do: 'transfer', target: text(fields, 'to'), detail: 'transfer' });
    } else if (name === 'streaming_stop') control.proceed({ do: 'stay', detail: 'streaming_stop' });
    else if (name === 'streaming_start') {
      const plan = this.#planOf(fields);
      if (plan !== null) control.proceed({ do: 'stream', plan });
    } else control.invalid(`a command "${name}" in the middle of a call`);
  }

  #planOf(fields: TelnyxCommand['fields'], beforeStart?: () => Promise<void>): StreamPlan | null {
    const formats = agreeFormats(wishesOf(fields), this.#account);
    if (formats === null) return null;
    this.#streamId = randomUUID();
    const authToken = text(fields, 'stream_auth_token') || null;
    const { clock, from, to } = this.#call;
    const { reorderEvery } = this.#account;
    return {
      url: text(fields, 'stream_url'),
      headers: authToken === null ? {} : { 'x-telnyx-streaming-auth-token': authToken },
      protocols: [],
      streamId: this.#streamId,
      sentRate: formats.sent.sampleRate,
      ...(beforeStart === undefined ? {} : { beforeStart }),
      open: telnyxProtocol({
        streamId: this.#streamId,
        callControlId: this.callId,
        callSessionId: this.#sessionId,
        from,
        to,
        clientState: this.#clientState,
        parameters: parametersOf(fields['custom_parameters']),
        authToken,
        formats,
        ...(reorderEvery === undefined ? {} : { reorderEvery }),
        isoNow: () => new Date(clock.epochMs()).toISOString(),
      }),
    };
  }

  #event(type: string, payload: Readonly<Record<string, unknown>>): Promise<GatewayAnswer> {
    const { clock, from, to, direction, http } = this.#call;
    const body = JSON.stringify({
      data: {
        record_type: 'event',
        event_type: type,
        id: randomUUID(),
        occurred_at: new Date(clock.epochMs()).toISOString(),
        payload: {
          call_control_id: this.callId,
          call_leg_id: randomUUID(),
          call_session_id: this.#sessionId,
          connection_id: '1684641123236054244',
          client_state: this.#clientState,
          from,
          to,
          direction: direction === 'inbound' ? 'incoming' : 'outgoing',
          ...payload,
        },
      },
      meta: { attempt: 1, delivered_to: http.named(EVENTS) },
    });
    const signed = telnyxHeaders(this.#account.keys.privateKey, body, clock.epochMs());
    return http.ask(EVENTS, () => ({ headers: { 'content-type': 'application/json', ...signed }, body }));
  }
}

const text = (fields: TelnyxCommand['fields'], name: string): string => {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
};

const wishesOf = (fields: TelnyxCommand['fields']) => ({
  codec: text(fields, 'stream_codec'),
  mode: text(fields, 'stream_bidirectional_mode') || 'mp3',
  bidirectionalCodec: text(fields, 'stream_bidirectional_codec'),
  bidirectionalRate: String(fields['stream_bidirectional_sampling_rate'] ?? ''),
});

function parametersOf(list: unknown): Record<string, unknown> {
  const pairs = Array.isArray(list) ? (list as { name?: unknown; value?: unknown }[]) : [];
  return Object.fromEntries(pairs.map((pair) => [String(pair?.name), pair?.value]));
}

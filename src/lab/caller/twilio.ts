/**
 * A simulated Twilio with one caller on it: asks the webhook, opens the stream that the answer names, plays a
 * recording into it in real time and keeps account of all that comes back. The other side of the contract, written
 * without the gateway's own code.
 */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Clock, Timer } from '../../clock.ts';
import { messageOf, OffhookError } from '../../errors.ts';
import { FAIR_WEATHER, Line, type LineWeather } from '../network/line.ts';
import { seededRandom } from '../network/random.ts';
import type { CallEnd, CallRun, TimelineEntry } from './call-run.ts';
import { CallerStream, type DtmfPress, type StreamAccount } from './stream.ts';
import { closeSoon, openStreamSocket } from './stream-socket.ts';
import type { TwilioApi } from './twilio-api.ts';
import type { StreamIds } from './twilio-messages.ts';
import { parseTwiml, type TwimlVerb } from './twiml.ts';
import { createWebhooks, type Webhooks } from './webhooks.ts';

const MAX_TIMELINE = 10_000;

export interface PlaceCallOptions {
  readonly clock: Clock;
  /** Where the gateway's public listener really is, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** What the gateway calls itself (PUBLIC_URL); `url` when it is the same. */
  readonly publicUrl?: string;
  readonly accountSid: string;
  readonly authToken: string;
  readonly from: string;
  readonly to: string;
  /** 8 kHz. */
  readonly caller: Int16Array;
  readonly dtmf?: readonly DtmfPress[];
  /** The network between carrier and gateway, each way. */
  readonly weather?: LineWeather;
  readonly seed?: number;
  /** How long the caller stays on a silent line after the recording. Default 3 s. */
  readonly lingerMs?: number;
  /** The call is hung up after this, whatever happens. */
  readonly maxMs: number;
  /** Lets the gateway hang up over the REST API. */
  readonly api?: TwilioApi;
  /** Hangs up at once; the call's account is still complete. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (entry: TimelineEntry) => void;
}

/**
 * Runs one call from ringing to hang-up.
 * @throws OffhookError ERR_CALL when there is no call at all: nobody answers, the webhook or the handshake is refused,
 *   or the answer is not TwiML. A spoken refusal is a call; its end says so.
 */
export async function placeCall(options: PlaceCallOptions): Promise<CallRun> {
  return new SimulatedCall(options).run();
}

type StreamEnd = { readonly by: CallEnd['by']; readonly how: CallEnd['how']; readonly detail: string };

class SimulatedCall {
  readonly #options: PlaceCallOptions;
  readonly #webhooks: Webhooks;
  readonly #ids: StreamIds;
  readonly #timeline: TimelineEntry[] = [];
  readonly #startedAtMs: number;
  readonly #startedAtEpochMs: number;
  readonly #notices: Promise<void>[] = [];
  #originMs: number | null = null;

  constructor(options: PlaceCallOptions) {
    this.#options = options;
    const { url, publicUrl = url, authToken, accountSid } = options;
    this.#webhooks = createWebhooks({ url, publicUrl, authToken });
    this.#ids = { accountSid, callSid: sid('CA'), streamSid: sid('MZ') };
    this.#startedAtMs = options.clock.now();
    this.#startedAtEpochMs = options.clock.epochMs();
  }

  async run(): Promise<CallRun> {
    const verbs = await this.#dial();
    const connect = verbs.find((verb) => verb.verb === 'connect');
    if (connect === undefined) {
      const said = verbs.flatMap((verb) => (verb.verb === 'say' ? [verb.text] : [])).join(' ');
      await this.#notify('/twilio/events', { CallStatus: 'completed' });
      return this.#result(emptyAccount(this.#startedAtMs), { by: 'gateway', how: 'refused', detail: said });
    }
    const socket = await openStreamSocket(this.#webhooks.streamAddress(connect.streamUrl));
    const { account, end } = await this.#converse(socket, connect);
    const final = end.how === 'stream-closed' ? await this.#afterStream(connect.action, end) : end;
    this.#note('ended', `${final.by}: ${final.how}`);
    if (connect.statusCallback !== null) {
      void this.#notify(connect.statusCallback, this.#streamForm('stream-stopped'));
    }
    void this.#notify('/twilio/events', { CallStatus: 'completed' });
    await Promise.all(this.#notices);
    return this.#result(account, final);
  }

  async #dial(): Promise<readonly TwimlVerb[]> {
    this.#note('ringing', this.#options.url);
    const { status, body } = await this.#webhooks.post('/twilio/voice', {
      ...this.#callForm(),
      CallStatus: 'ringing',
    });
    if (status !== 200) {
      throw new OffhookError(
        'ERR_CALL',
        `Cannot place the call: the gateway's webhook answered "${status}"; 200 is wanted` +
          `${status === 403 ? ' (403: the signature does not fit; check the token and the public URL).' : '.'}`,
      );
    }
    const verbs = parseTwiml(body);
    if (verbs === null) {
      throw new OffhookError(
        'ERR_CALL',
        `Cannot place the call: the webhook answered "${body.slice(0, 60)}"; a TwiML document is wanted.`,
      );
    }
    this.#note('answered', verbs.map((verb) => verb.verb).join(', '));
    return verbs;
  }

  #converse(
    socket: WebSocket,
    connect: Extract<TwimlVerb, { verb: 'connect' }>,
  ): Promise<{ account: StreamAccount; end: StreamEnd }> {
    const { clock, weather = FAIR_WEATHER, seed = 1, maxMs, lingerMs = 3_000, signal } = this.#options;
    return new Promise((resolve) => {
      const timers: Timer[] = [];
      let stream: CallerStream | null = null;
      let ended = false;

      const finish = (end: StreamEnd): void => {
        if (ended || stream === null) return;
        ended = true;
        for (const timer of timers) timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        forget?.();
        stream.end(end.how !== 'stream-closed');
        up.close();
        down.close();
        closeSoon(socket, clock);
        resolve({ account: stream.account(), end });
      };
      const onAbort = (): void => finish({ by: 'caller', how: 'hung-up', detail: 'told to stop' });

      const up = new Line<{ text: string; frame: number | null }>({
        clock,
        random: seededRandom(seed),
        weather,
        deliver: ({ text, frame }) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(text);
          if (frame !== null) stream?.frameWritten(frame);
        },
      });
      const down = new Line<string>({
        clock,
        random: seededRandom(seed + 1),
        weather,
        deliver: (text) => stream?.receive(text),
      });
      const forget = this.#options.api?.register(this.#ids.callSid, {
        hangUp: () => finish({ by: 'gateway', how: 'api', detail: 'Status=completed' }),
        replaceTwiml: (twiml) => finish(endOfVerbs(parseTwiml(twiml) ?? [])),
      });

      socket.on('message', (data, isBinary) => down.send(isBinary ? '' : data.toString()));
      socket.on('error', (error) => this.#note('socket-error', messageOf(error)));
      socket.on('close', (code) => {
        this.#note('stream-closed', `code ${code}`);
        // What was sent before the close still arrives, in order, on a slow line.
        const restMs = down.inFlight === 0 ? 0 : weather.delayMs + weather.jitterMs + weather.lateByMs;
        timers.push(
          clock.setTimer(restMs, () =>
            finish({ by: 'gateway', how: 'stream-closed', detail: `code ${code}` }),
          ),
        );
      });

      this.#startStreamTime();
      stream = new CallerStream({
        clock,
        ids: this.#ids,
        parameters: connect.parameters,
        caller: this.#options.caller,
        dtmf: this.#options.dtmf ?? [],
        send: (text, frame) => up.send({ text, frame }),
        onTimeline: (entry) => this.#write(entry),
        onCallerDone: () => {
          this.#note('recording-over', '');
          const hangUp = (): void =>
            finish({ by: 'caller', how: 'hung-up', detail: 'the recording is over' });
          timers.push(clock.setTimer(lingerMs, hangUp));
        },
      });
      this.#note('stream-started', '');
      if (connect.statusCallback !== null) {
        void this.#notify(connect.statusCallback, this.#streamForm('stream-started'));
      }
      timers.push(
        clock.setTimer(maxMs, () => finish({ by: 'limit', how: 'hung-up', detail: `after ${maxMs} ms` })),
      );
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
    });
  }

  /** What Twilio does when our stream was closed: it asks the action address how the call goes on. */
  async #afterStream(action: string | null, end: StreamEnd): Promise<StreamEnd> {
    if (action === null) return end;
    try {
      const form = { ...this.#callForm(), CallStatus: 'in-progress' };
      const { status, body } = await this.#webhooks.post(action, form);
      this.#note('after', `answered ${status}`);
      const verbs = status === 200 ? parseTwiml(body) : null;
      if (verbs !== null)
        return { ...endOfVerbs(verbs), detail: `${end.detail}, then ${describeVerbs(verbs)}` };
      return { ...end, detail: `${end.detail}; the action address answered ${status}` };
    } catch (caught) {
      return { ...end, detail: `${end.detail}; ${messageOf(caught)}` };
    }
  }

  /** Status callbacks are best effort, as the carrier's are: a failure is noted, nothing more. */
  #notify(address: string, form: Readonly<Record<string, string>>): Promise<void> {
    const notice = this.#webhooks.post(address, { ...this.#callForm(), ...form }).then(
      ({ status }) => this.#note('status-callback', `answered ${status}`),
      (caught: unknown) => this.#note('status-callback', messageOf(caught)),
    );
    this.#notices.push(notice);
    return notice;
  }

  #callForm(): Record<string, string> {
    return {
      AccountSid: this.#ids.accountSid,
      ApiVersion: '2010-04-01',
      CallSid: this.#ids.callSid,
      CallStatus: 'in-progress',
      Direction: 'inbound',
      From: this.#options.from,
      Caller: this.#options.from,
      To: this.#options.to,
      Called: this.#options.to,
    };
  }

  #streamForm(event: string): Record<string, string> {
    return {
      StreamSid: this.#ids.streamSid,
      StreamName: this.#ids.streamSid,
      StreamEvent: event,
      Timestamp: new Date(this.#options.clock.epochMs()).toISOString(),
    };
  }

  #note(what: string, detail: string): void {
    this.#write({ atMs: this.#options.clock.now() - (this.#originMs ?? this.#startedAtMs), what, detail });
  }

  /** From here on times count from the stream's start; what happened before moves below zero. */
  #startStreamTime(): void {
    this.#originMs = this.#options.clock.now();
    const leadMs = this.#originMs - this.#startedAtMs;
    this.#timeline.splice(
      0,
      Infinity,
      ...this.#timeline.map((entry) => ({ ...entry, atMs: entry.atMs - leadMs })),
    );
  }

  #write(entry: TimelineEntry): void {
    if (this.#timeline.length < MAX_TIMELINE) this.#timeline.push(entry);
    this.#options.onEvent?.(entry);
  }

  #result(account: StreamAccount, end: CallEnd): CallRun {
    return {
      carrier: 'twilio',
      callSid: this.#ids.callSid,
      streamSid: this.#ids.streamSid,
      from: this.#options.from,
      to: this.#options.to,
      startedAtEpochMs: this.#startedAtEpochMs,
      sampleRate: 8000,
      ...account,
      timeline: this.#timeline,
      end,
    };
  }
}

const sid = (prefix: string): string => prefix + randomBytes(16).toString('hex');

const describeVerbs = (verbs: readonly TwimlVerb[]): string =>
  verbs.map((verb) => verb.verb).join(', ') || 'nothing';

/** How a call ends whose TwiML is this: a dial hands the caller over, anything else hangs up sooner or later. */
function endOfVerbs(verbs: readonly TwimlVerb[]): StreamEnd {
  const dial = verbs.find((verb) => verb.verb === 'dial');
  return dial === undefined
    ? { by: 'gateway', how: 'stream-closed', detail: describeVerbs(verbs) }
    : { by: 'gateway', how: 'transferred', detail: 'dial' };
}

const emptyAccount = (originMs: number): StreamAccount => ({
  originMs,
  durationMs: 0,
  sent: new Int16Array(0),
  frameWrittenMs: [],
  heard: new Int16Array(0),
  received: [],
  runs: [],
  generations: [],
  clears: [],
  unplayed: new Int16Array(0),
  marks: [],
  dtmf: [],
  messagesSent: {},
  messagesReceived: {},
  invalidMessages: [],
});

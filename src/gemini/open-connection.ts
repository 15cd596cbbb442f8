/** One attempt to open a connection: a deadline on everything, and no socket left behind. */
import type { Live, LiveConnectParameters, Session } from '@google/genai';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { classifyClose, classifyUpgradeStatus, LiveConnectError } from './closes.ts';
import { GeminiConnection, type Wire } from './connection.ts';
import { PausableDeadline } from './deadline.ts';
import { parseServerMessage } from './events.ts';
import type { Family } from './families.ts';
import { Inbox } from './inbox.ts';
import type { LiveConfig } from './live-config.ts';
import type { CloseClass, HeldFields, LiveConnection, LiveHandlers } from './live-session.ts';
import { LiveSocket } from './live-socket.ts';
import { type HookedSocket, wireOfSession, withSocketFactory } from './sdk-hook.ts';
import { setupFrame } from './setup-frame.ts';

/** Metric label of what went wrong without ending the call; details never hold audio, text of the call or keys. */
export type LiveFault =
  | 'bad-frame'
  | 'oversize'
  | 'handler-threw'
  | 'send-refused'
  | 'uplink-stalled'
  | 'model-guessed'
  | 'sdk-changed';

export interface OpenRequest {
  readonly live: Live;
  /** False when the self-test found that the SDK no longer asks our factory. */
  readonly hooked: boolean;
  readonly model: string;
  readonly family: Family;
  /** Made anew once it is known what the held setup is to say; null before that, or where nothing is held. */
  readonly plan: (held: HeldFields | null) => LiveConfig;
  readonly hold: (() => Promise<HeldFields>) | null;
  readonly vadMode: 'auto' | 'manual';
  readonly handlers: LiveHandlers;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly redact: (text: string) => string;
  readonly onFault: (kind: LiveFault, detail: string) => void;
}

/** How Google's auth library speaks of credentials that are missing or refused; on Vertex, before any socket is opened. */
const CREDENTIALS = /credential|invalid_grant|unauthenticated/i;
/** A reason of our own in LiveClose, when a handler threw: the connection is worth another try. */
const HANDLER_THREW = 'a handler of the gateway threw';

export function openConnection(request: OpenRequest): Promise<LiveConnection> {
  const { clock, handlers, hold, model, redact, signal } = request;
  return new Promise((resolve, reject) => {
    let plan = request.plan(null);
    /** A handle is on its way to the server. */
    let resuming = false;
    let settled = false;
    let lastError = '';
    let wire: Wire | null = null;
    let connection: GeminiConnection | null = null;

    const settle = () => {
      settled = true;
      deadline.cancel();
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (
      closeClass: CloseClass,
      found: string,
      details: { closeCode?: number; httpStatus?: number } = {},
    ) => {
      if (settled) return;
      settle();
      inbox.stop();
      wire?.terminate();
      const text = redact(`Connecting to Gemini Live (model "${model}"): ${found}, wanted setupComplete`);
      reject(new LiveConnectError(closeClass, text, details));
    };

    const inbox = new Inbox(handlers, (caught, from) => {
      request.onFault('handler-threw', redact(messageOf(caught)));
      if (from === 'close') return;
      void connection?.close(0);
      try {
        handlers.onClose({ code: 1011, reason: HANDLER_THREW, class: 'aborted' });
      } catch {
        // It threw while being told that it threw; that has been reported.
      }
    });
    const receive = (json: unknown) => inbox.events(parseServerMessage(json), clock.now());
    const closed = (code: number, rawReason: string) => {
      const reason = redact(rawReason || lastError);
      connection?.socketClosed();
      fail(
        classifyClose(code, reason, { beforeSetup: true, resuming }),
        `found a close with ${code} "${reason}"`,
        {
          closeCode: code,
        },
      );
      if (connection !== null) inbox.closed({ code, reason, class: classifyClose(code, reason) });
    };

    const onAbort = () => fail('normal', 'found that the call no longer wants it');
    const deadline = new PausableDeadline(clock, request.deadlineMs, () =>
      fail('deadline', `found no answer within ${Math.round(request.deadlineMs)} ms`),
    );
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) {
      onAbort();
      return;
    }

    /** Waits until the call lets its setup go, while the deadline stands still. */
    const ask = (held: () => Promise<HeldFields>, then: () => void) => {
      deadline.pause();
      (async () => held())()
        .then((fields) => {
          if (settled) return;
          plan = request.plan(fields);
          deadline.resume();
          then();
        })
        .catch((caught: unknown) => fail('normal', `found its held setup given up ("${messageOf(caught)}")`));
    };
    const createSocket: HookedSocket = (url, headers, sdk) => {
      // Vertex fetches a token first; the attempt may be over by then.
      if (settled) throw new Error('the attempt is over');
      const socket = new LiveSocket(url, headers, sdk, {
        handshakeTimeoutMs: Math.max(1, Math.ceil(request.deadlineMs)),
        onSetup: (frame) => {
          const send = () => {
            resuming = plan.resumes;
            socket.sendSetup(setupFrame(frame, plan, hold !== null));
          };
          if (hold === null) send();
          else ask(hold, send);
        },
        onJson: receive,
        onFault: request.onFault,
        onRefused: (httpStatus) =>
          fail(classifyUpgradeStatus(httpStatus), `found HTTP ${httpStatus}`, { httpStatus }),
      });
      wire = socket;
      return socket;
    };
    const opened = (session: Session) => {
      wire ??= wireOfSession(session);
      if (settled) {
        wire.terminate();
        return;
      }
      settle();
      connection = new GeminiConnection({
        session,
        wire,
        family: request.family,
        vadMode: request.vadMode,
        dropped: plan.dropped,
        clock,
        onFault: (kind, detail) => request.onFault(kind, redact(detail)),
        onClosing: () => inbox.stop(),
      });
      if (plan.firstContent !== null) {
        connection.sendContent(plan.firstContent.turns, plan.firstContent.turnComplete);
      }
      resolve(connection);
      // Only when all that waits for this promise has run does the call hold its connection.
      setImmediate(() => inbox.release());
    };

    const connect = (live: Live) => {
      const parameters: LiveConnectParameters = {
        model,
        config: plan.config,
        callbacks: {
          onmessage: receive,
          onerror: (event) => {
            lastError = event.message;
          },
          onclose: (event) => closed(event.code, event.reason),
        },
      };
      live.connect(parameters).then(opened, (caught: unknown) => {
        const text = lastError || messageOf(caught);
        fail(CREDENTIALS.test(text) ? 'auth' : 'network', `found the error "${text}"`);
      });
    };
    const connectUnhooked = () => {
      resuming = plan.resumes;
      connect(request.live);
    };
    if (request.hooked) connect(withSocketFactory(request.live, createSocket));
    else if (hold === null) connectUnhooked();
    else ask(hold, connectUnhooked);
  });
}

/** The carriers' HTTP requests: signature first, then their meaning, then the desk. Every request gets an answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CallDesk } from '../call/desk.ts';
import type {
  CarrierAdapter,
  HttpReply,
  IncomingCall,
  RawRequest,
  RefusalReason,
  WebhookEvent,
  WebhookPort,
} from '../carriers/carrier.ts';
import type { Clock } from '../clock.ts';
import { messageOf, OffhookError } from '../errors.ts';
import type { CalmLog } from '../observability/calm-log.ts';
import { AnswerMemo } from './answer-memo.ts';
import type { PublicDeps } from './public-app.ts';
import { rawRequestOf } from './raw-request.ts';

type WebhookKind = 'voice' | 'after' | 'events';
type WebhookCarrier = CarrierAdapter & { readonly webhook: WebhookPort };

/** About a kilobyte each; a carrier repeats a webhook within seconds, so an hour is plenty. */
const KEPT_ANSWERS = 4_096;
const KEEP_ANSWER_MS = 3_600_000;
const EMPTY_REPLY = { contentType: 'text/plain; charset=utf-8', body: '' };

export function addWebhooks(
  app: FastifyInstance,
  deps: PublicDeps,
  carrierOf: (request: FastifyRequest) => CarrierAdapter | undefined,
  refusals: CalmLog,
): void {
  const answers = new AnswerMemo(deps.clock, KEPT_ANSWERS, KEEP_ANSWER_MS);
  for (const kind of ['voice', 'after', 'events'] as const) {
    app.route({
      // Which of the two a carrier uses is its owner's setting; both are signed.
      method: ['GET', 'POST'],
      url: `/:carrier/${kind}`,
      handler: async (request, reply) => {
        const adapter = carrierOf(request);
        if (adapter === undefined || !hasWebhook(adapter)) return reply.callNotFound();
        return send(
          reply,
          await answerWebhook(deps, answers, refusals, adapter, kind, rawRequestOf(request)),
        );
      },
    });
  }
}

function hasWebhook(adapter: CarrierAdapter): adapter is WebhookCarrier {
  return adapter.webhook !== null;
}

function send(reply: FastifyReply, answer: HttpReply): FastifyReply {
  return reply.code(answer.status).type(answer.contentType).send(answer.body);
}

async function answerWebhook(
  deps: PublicDeps,
  answers: AnswerMemo,
  refusals: CalmLog,
  adapter: WebhookCarrier,
  kind: WebhookKind,
  request: RawRequest,
): Promise<HttpReply> {
  try {
    const verdict = adapter.webhook.verify(request);
    if (!verdict.ok) {
      deps.meters.authFailed(adapter.id, 'webhook');
      refusals.warn('webhook signature', { carrier: adapter.id, route: kind, reason: verdict.reason });
      return { status: adapter.webhook.refusedStatus, ...EMPTY_REPLY };
    }
    const event = adapter.webhook.parse(request, kind);
    if (event.type === 'call-incoming') return await answerCall(deps, answers, adapter, event.call);
    tellDesk(deps.desk, adapter, event);
    if (event.type === 'stream-continuation') {
      // A stream that broke off leaves a caller on the line, and so does a transfer that nobody answered.
      const plan = deps.desk.afterStream(adapter, event.callId, event.transfer ?? null);
      if (plan.kind === 'stream') {
        return await within(deps.clock, deps.limits.answerDeadlineMs, () =>
          adapter.webhook.accept(plan.call, plan.streamPath),
        );
      }
      // Where no document decides how the call goes on, the API has to.
      if (plan.kind === 'hangup' && adapter.capabilities.outlivesStream)
        void adapter.control.hangup(event.callId);
      return adapter.webhook.continueWith(plan);
    }
    return adapter.webhook.acknowledge();
  } catch (caught) {
    deps.meters.handlerFailed('webhook');
    deps.log.error({ carrier: adapter.id, route: kind, err: caught }, 'answering a webhook failed');
    return { status: 500, ...EMPTY_REPLY };
  }
}

/**
 * A repetition gets the first answer's bytes. While the call lives the desk is asked nevertheless, because a signed
 * repetition arms the stream's token once more; after its end it must not be asked, or it would admit a second call.
 */
async function answerCall(
  deps: PublicDeps,
  answers: AnswerMemo,
  adapter: WebhookCarrier,
  call: IncomingCall,
): Promise<HttpReply> {
  const { desk, meters } = deps;
  const key = `${adapter.id} ${call.callId}`;
  const given = answers.find(key);
  if (given !== null) {
    meters.replayed(adapter.id);
    if (given.ref !== null && isActive(desk, given.ref)) desk.admit(adapter, call);
    return given.reply;
  }
  const admission = desk.admit(adapter, call);
  if (admission.kind === 'refused') {
    meters.callRefused(adapter.id, admission.reason);
    deps.log.warn(
      { carrier: adapter.id, reason: admission.reason, detail: admission.detail },
      'call refused',
    );
    const reply = refuse(deps, adapter, call, admission.reason);
    answers.keep(key, { ref: null, reply });
    return reply;
  }
  const { ref, streamPath } = admission;
  const reply = within(deps.clock, deps.limits.answerDeadlineMs, () =>
    adapter.webhook.accept(call, streamPath),
  ).catch((caught: unknown) => {
    deps.meters.handlerFailed('webhook');
    deps.log.error({ call: ref, carrier: adapter.id, err: caught }, 'writing the answer document failed');
    desk.end(ref, { who: 'gateway', how: 'error', detail: 'the answer document could not be written' });
    return refuse(deps, adapter, call, 'error');
  });
  answers.keep(key, { ref, reply });
  return reply;
}

/** Never rejects: where even the spoken refusal fails, a plain 500 lets the carrier use its own fallback. */
async function refuse(
  deps: PublicDeps,
  adapter: WebhookCarrier,
  call: IncomingCall,
  reason: RefusalReason,
): Promise<HttpReply> {
  try {
    return await within(deps.clock, deps.limits.answerDeadlineMs, () => adapter.webhook.reject(call, reason));
  } catch (caught) {
    deps.meters.handlerFailed('webhook');
    deps.log.error({ carrier: adapter.id, detail: messageOf(caught) }, 'writing the refusal failed');
    return { status: 500, ...EMPTY_REPLY };
  }
}

function tellDesk(desk: CallDesk, adapter: CarrierAdapter, event: WebhookEvent): void {
  switch (event.type) {
    case 'call-ended':
      desk.carrierSays(adapter, event.callId, 'ended', event.status);
      break;
    case 'call-answered':
      if (event.by !== undefined) desk.answeredBy(adapter, event.callId, event.by);
      break;
    case 'stream-failed':
      desk.carrierSays(adapter, event.callId, 'stream-failed', event.detail);
      break;
    case 'stream-stopped':
      desk.carrierSays(adapter, event.callId, 'stream-stopped', 'status callback');
      break;
    case 'stream-continuation':
      desk.carrierSays(adapter, event.callId, 'stream-stopped', 'asked what comes next');
      break;
    default:
  }
}

function isActive(desk: CallDesk, ref: string): boolean {
  return desk.summaries().some((summary) => summary.ref === ref);
}

async function within<T>(clock: Clock, deadlineMs: number, work: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimer(deadlineMs, () => {
      const message = `Writing an answer document took longer than "${deadlineMs}" ms; wanted it sooner.`;
      reject(new OffhookError('ERR_CARRIER_API', message, { retryable: true }));
    });
    work()
      .finally(() => timer.cancel())
      .then(resolve, reject);
  });
}

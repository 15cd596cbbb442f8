/**
 * The stream's door: everything that can be checked is checked before the upgrade is accepted. A carrier without a
 * webhook announces its calls here as well: it comes without a token, with credentials of its own.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { StreamClaim } from '../call/desk.ts';
import type { CarrierAdapter } from '../carriers/carrier.ts';
import type { CalmLog } from '../observability/calm-log.ts';
import type { PublicDeps } from './public-app.ts';
import { rawRequestOf } from './raw-request.ts';
import { joinStream } from './stream-socket.ts';
import { YoungStreams } from './young-streams.ts';

type GoodClaim = Extract<StreamClaim, { ok: true }>;
type Decision =
  | { readonly ok: true; readonly claim: GoodClaim }
  | { readonly ok: false; readonly status: 400 | 401 | 403 | 404 | 500 | 503; readonly reason: string };

const STATUS_OF_CLAIM = {
  malformed: 403,
  mismatch: 403,
  stale: 403,
  used: 403,
  'unknown-call': 404,
  draining: 503,
} as const;

export function addMedia(
  app: FastifyInstance,
  deps: PublicDeps,
  carrierOf: (request: FastifyRequest) => CarrierAdapter | undefined,
  refusals: CalmLog,
): void {
  const claims = new WeakMap<FastifyRequest, GoodClaim>();
  const young = new YoungStreams(deps.clock);

  for (const url of ['/:carrier/media/:token', '/:carrier/media']) {
    app.route<{ Params: { token?: string } }>({
      method: 'GET',
      url,
      preValidation: async (request, reply): Promise<FastifyReply | undefined> => {
        const adapter = carrierOf(request);
        if (adapter === undefined || !request.ws) return reply.code(404).send();
        const decision = decide(deps, adapter, request, young);
        if (!decision.ok) {
          refusals.warn(`stream ${decision.reason}`, { carrier: adapter.id });
          return reply.code(decision.status).send();
        }
        claims.set(request, decision.claim);
        return undefined;
      },
      handler: (_request, reply) => reply.code(404).send(),
      wsHandler: (socket, request) => {
        const claim = claims.get(request);
        if (claim === undefined) return socket.terminate();
        socket.once('close', young.add(addressOf(request)));
        joinStream(socket, request.raw.socket, (stream) => claim.attach(stream), deps);
      },
    });
  }
}

/** Cheap checks first; the token last, because only a request that passes all others may learn anything about it. */
function decide(
  deps: PublicDeps,
  adapter: CarrierAdapter,
  request: FastifyRequest<{ Params: { token?: string } }>,
  young: YoungStreams,
): Decision {
  const { desk, limits, meters } = deps;
  try {
    // No carrier is a web page. A browser that was lured here shows itself by this header.
    if (request.raw.headers.origin !== undefined) {
      meters.authFailed(adapter.id, 'origin');
      return { ok: false, status: 403, reason: 'from a browser' };
    }
    const verdict = adapter.upgrade.authorize(rawRequestOf(request));
    if (!verdict.ok) {
      meters.authFailed(adapter.id, 'handshake');
      return { ok: false, status: adapter.upgrade.refusedStatus, reason: `handshake ${verdict.reason}` };
    }
    const token = request.params.token ?? admitted(deps, adapter, request);
    if (typeof token !== 'string') return token;
    const claim = desk.claimStream(adapter, token);
    if (!claim.ok) {
      if (claim.reason !== 'draining') meters.authFailed(adapter.id, 'token');
      return { ok: false, status: STATUS_OF_CLAIM[claim.reason], reason: `token ${claim.reason}` };
    }
    if (desk.pendingStreams >= limits.pendingStreams) {
      meters.limitHit('pending-streams');
      return { ok: false, status: 503, reason: 'too many pending' };
    }
    if (young.of(addressOf(request)) >= limits.youngStreamsPerAddress) {
      meters.limitHit('streams-per-address');
      return { ok: false, status: 503, reason: 'too many of one address' };
    }
    return { ok: true, claim };
  } catch (caught) {
    meters.handlerFailed('upgrade');
    deps.log.error({ carrier: adapter.id, err: caught }, 'checking a stream handshake failed');
    return { ok: false, status: 500, reason: 'error' };
  }
}

/** The token of a call that its stream announces, or why it has none. */
function admitted(
  { desk, meters, log }: PublicDeps,
  adapter: CarrierAdapter,
  request: FastifyRequest,
): string | Extract<Decision, { ok: false }> {
  const { incoming } = adapter.upgrade;
  if (incoming === undefined) return { ok: false, status: 404, reason: 'without a token' };
  const call = incoming(rawRequestOf(request));
  if (call === null) return { ok: false, status: 400, reason: "without the call's particulars" };
  const admission = desk.admit(adapter, call);
  if (admission.kind === 'admitted') {
    return admission.streamPath.slice(admission.streamPath.lastIndexOf('/') + 1);
  }
  const { reason, detail } = admission;
  meters.callRefused(adapter.id, reason);
  log.warn({ carrier: adapter.id, reason, detail }, 'call refused');
  return { ok: false, status: 503, reason: `call refused: ${reason}` };
}

function addressOf(request: FastifyRequest): string {
  return request.raw.socket.remoteAddress ?? '';
}

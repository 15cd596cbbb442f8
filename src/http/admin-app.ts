/** The owner's listener: the calls in progress, an API for them, and the metrics. Never meant for the internet. */
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { CallDesk } from '../call/desk.ts';
import type { Clock } from '../clock.ts';
import { CalmLog } from '../observability/calm-log.ts';
import type { Log } from '../observability/log.ts';
import { type AdminAccess, judgeAdminRequest } from './admin-guard.ts';
import { ADMIN_PAGE, ADMIN_SCRIPT, ADMIN_STYLE } from './admin-page.ts';
import { addDialRoute } from './dial-route.ts';
import type { HttpMeters } from './http-meters.ts';

export interface AdminDeps {
  readonly desk: CallDesk;
  readonly access: AdminAccess;
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: HttpMeters;
  readonly exposition: { readonly contentType: string; expose(): Promise<string> };
}

const BODY_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_MS = 1_000;
const MAX_CONNECTIONS = 200;

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Builds the server without opening a port. */
export function buildAdminApp(deps: AdminDeps): FastifyInstance {
  const { desk, access } = deps;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  const refusals = new CalmLog(deps.log, deps.clock, 'request refused');

  app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) {
      deps.meters.handlerFailed('admin');
      deps.log.error({ err: error }, 'an admin request failed');
    }
    return reply.code(status).send({ error: status >= 500 ? 'failed' : 'bad request' });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'no such route' }));

  const guard = (needsToken: boolean) => async (request: FastifyRequest, reply: FastifyReply) => {
    reply.headers(HEADERS);
    const verdict = judgeAdminRequest(request.raw.headers, access, needsToken);
    if (verdict === 'ok') return undefined;
    deps.meters.authFailed('admin', verdict === 'no-token' ? 'admin' : 'origin');
    refusals.warn(`admin ${verdict}`, {});
    if (verdict !== 'no-token') return reply.code(403).send({ error: verdict });
    return reply.code(401).header('www-authenticate', 'Bearer').send({ error: verdict });
  };

  // The page holds nothing worth hiding, and a browser sends no token when it opens one.
  app.register(async (page) => {
    page.addHook('onRequest', guard(false));
    page.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(ADMIN_PAGE));
    page.get('/calls.js', async (_request, reply) =>
      reply.type('text/javascript; charset=utf-8').send(ADMIN_SCRIPT),
    );
    page.get('/calls.css', async (_request, reply) =>
      reply.type('text/css; charset=utf-8').send(ADMIN_STYLE),
    );
  });

  app.register(async (guarded) => {
    guarded.addHook('onRequest', guard(true));
    guarded.get('/metrics', async (_request, reply) =>
      reply.type(deps.exposition.contentType).send(await deps.exposition.expose()),
    );
    guarded.get('/api/calls', async () => ({
      calls: desk.summaries(),
      capacity: desk.capacity,
      draining: desk.draining,
    }));
    addDialRoute(guarded, desk);
    guarded.post<{ Params: { ref: string } }>('/api/calls/:ref/hangup', async (request, reply) => {
      const reason = { who: 'operator', how: 'completed', detail: 'ended over the admin listener' } as const;
      if (!desk.end(request.params.ref, reason)) return reply.code(404).send({ error: 'no such call' });
      return reply.code(202).send({ ended: true });
    });
  });
  return app;
}

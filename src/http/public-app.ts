/** The only listener that faces the internet: carriers' webhooks and streams, and two health routes. */
import websocket, { type WebsocketPluginOptions } from '@fastify/websocket';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { CallDesk } from '../call/desk.ts';
import type { CarrierAdapter, CarrierId } from '../carriers/carrier.ts';
import type { Clock } from '../clock.ts';
import { CalmLog } from '../observability/calm-log.ts';
import type { Log } from '../observability/log.ts';
import type { HttpMeters } from './http-meters.ts';
import type { PublicLimits } from './limits.ts';
import { addMedia } from './media.ts';
import { hideContentType } from './raw-request.ts';
import { guardUpgrades } from './upgrade-guard.ts';
import { addWebhooks } from './webhooks.ts';

export interface PublicDeps {
  readonly desk: CallDesk;
  /** Looked up with every request: the map may be filled after the port is open, when the port is part of PUBLIC_URL. */
  readonly carriers: ReadonlyMap<CarrierId, CarrierAdapter>;
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: HttpMeters;
  readonly limits: PublicLimits;
}

/** From the beginning of a drain: calls admitted before it still open their streams here, so stay in the balancer. */
const READY_WHILE_DRAINING_MS = 10_000;
/** A token has at most 96 characters; anything near this length is none. */
const MAX_PARAM_LENGTH = 256;
/** How often Node looks for requests that are too slow; its default of 30 s would make a 5 s deadline a 35 s one. */
const TIMEOUT_CHECK_MS = 1_000;
const MAX_HEADER_BYTES = 16 * 1024;

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** `closeTimeout`: how long ws waits for the peer's close frame before it destroys the socket; missing in its types. */
function streamOptions(
  limits: PublicLimits,
): NonNullable<WebsocketPluginOptions['options']> & { readonly closeTimeout: number } {
  return {
    perMessageDeflate: false,
    maxPayload: limits.messageBytes,
    // No carrier fragments a message of a few hundred bytes.
    maxFragments: 16,
    maxBufferedChunks: 1024,
    closeTimeout: limits.closeGraceMs,
  };
}

/** Builds the server without opening a port. Nothing that a peer sends makes a handler throw. */
export function buildPublicApp(deps: PublicDeps): FastifyInstance {
  const { limits } = deps;
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    // Neither Host nor a forwarded header decides anything here.
    trustProxy: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    forceCloseConnections: true,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
  });
  app.server.maxConnections = limits.maxConnections;

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
  app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status === 413) deps.meters.limitHit('body-size');
    if (status >= 500) {
      deps.meters.handlerFailed('webhook');
      deps.log.error({ err: error }, 'a request failed');
    }
    return reply.code(status).send();
  });

  const carrierOf = (request: FastifyRequest): CarrierAdapter | undefined =>
    deps.carriers.get((request.params as { carrier: CarrierId }).carrier);
  const refusals = new CalmLog(deps.log, deps.clock, 'request refused');

  app.register(websocket, {
    options: {
      ...streamOptions(limits),
      handleProtocols: (offered, { url = '' }) => {
        const id = url.slice(1, url.indexOf('/', 1)) as CarrierId;
        const wanted = deps.carriers.get(id)?.upgrade.subprotocols ?? [];
        return wanted.find((protocol) => offered.has(protocol)) ?? false;
      },
    },
    // joinStream hears every error itself, and ws closes with the code that fits.
    errorHandler: () => {},
    preClose: (done) => {
      endUpgrades();
      for (const client of app.websocketServer.clients) client.close(1001, 'gateway is stopping');
      app.websocketServer.close();
      done();
    },
  });
  let endUpgrades = (): void => {};
  app.after(() => {
    endUpgrades = guardUpgrades(app.server, app.websocketServer, deps.clock, limits.headersTimeoutMs);
  });
  // In a plugin of its own, so that the routes are added after the web socket plugin has hooked itself in.
  app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      hideContentType(request);
      reply.headers(HEADERS);
      const isStream = request.routeOptions.url?.startsWith('/:carrier/media');
      if (request.ws && isStream !== true) return reply.code(404).send();
      return undefined;
    });
    addWebhooks(scope, deps, carrierOf, refusals);
    addMedia(scope, deps, carrierOf, refusals);
    scope.get('/healthz', async () => '');
    scope.get('/readyz', async (_request, reply) => {
      const drainingForMs = deps.desk.drainingForMs;
      const ready = drainingForMs === null || drainingForMs < READY_WHILE_DRAINING_MS;
      return reply.code(ready ? 200 : 503).send();
    });
  });
  return app;
}

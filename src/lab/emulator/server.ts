/** The emulator as a server: HTTP and WebSocket on one port, in front of the emulated service. */
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock } from '../../clock.ts';
import { messageOf, OffhookError } from '../../errors.ts';
import type { Scenario } from '../scenario.ts';
import { FROZEN_LIMIT_MS, ServedSocket, serveConnection } from './connection.ts';
import { answerHttp } from './lab-routes.ts';
import type { EmulatorRecord } from './record.ts';
import { EmulatedService, type ServiceOptions } from './service.ts';
import type { LiveSession } from './session.ts';
import { parseLiveAddress } from './wire.ts';

export interface EmulatorOptions extends ServiceOptions {
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port?: number;
  readonly clock: Clock;
  /** Certificate and key: the server then speaks https and wss. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly log?: (line: string) => void;
}

export interface Emulator {
  /** For `GOOGLE_GEMINI_BASE_URL`: http or https, without a path. */
  readonly url: string;
  readonly sessions: readonly EmulatorRecord[];
  /** The scenario of the next conversation, also over its resumptions; those after it get the usual one again. */
  setNextScenario(scenario: Scenario): void;
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** Longer than any value of the row for the largest frame, so that the session itself refuses what is too long. */
const SOCKET_LIMIT_BYTES = 17 * 1024 * 1024;

/**
 * Starts an emulated Gemini Live.
 * @throws OffhookError `ERR_PORT` when the port cannot be had
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { host = '127.0.0.1', port = 0, clock, tls, log = () => {} } = options;
  const service = new EmulatedService(options);
  const answer = (...[request, response]: Parameters<Parameters<typeof createServer>[1] & object>): void => {
    void answerHttp(service, request, response);
  };
  const server = tls === undefined ? createServer(answer) : createTlsServer({ ...tls }, answer);
  // Google's server is taken not to compress; the SDK offers it and must live without.
  const sockets = new WebSocketServer({
    noServer: true,
    WebSocket: ServedSocket,
    perMessageDeflate: false,
    maxPayload: SOCKET_LIMIT_BYTES,
    // Pongs may have to be late.
    autoPong: false,
  });
  /** Upgrades that are never answered. */
  const unanswered = new Set<Duplex>();

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', (error) => log(`an upgrade: ${error.message}`));
    const address = parseLiveAddress(request.url ?? '/', request.headers);
    if (address === null) return refuseUpgrade(socket, 404);
    if (address.key === null) return refuseUpgrade(socket, 403);
    const session = service.connect(address, clock.now());
    const first = session.tick(clock.now());
    const [start] = first;
    if (start !== undefined && 'refuse' in start) return refuseUpgrade(socket, start.refuse);
    if (start !== undefined && 'cut' in start) {
      socket.destroy();
      return;
    }
    if (start !== undefined && 'freeze' in start && start.forever) {
      leaveUnanswered(socket, session);
      return;
    }
    let isUpgraded = false;
    sockets.handleUpgrade(request, socket, head, (client) => {
      isUpgraded = true;
      serveConnection(client, session, clock, log, first);
    });
    // What is no WebSocket handshake has been answered by then, and nobody comes.
    if (!isUpgraded) session.disconnected(false, 1006, clock.now());
  });
  const leaveUnanswered = (socket: Duplex, session: LiveSession): void => {
    unanswered.add(socket);
    const limit = clock.setTimer(FROZEN_LIMIT_MS, () => socket.destroy());
    socket.on('close', () => {
      limit.cancel();
      unanswered.delete(socket);
      session.disconnected(false, 1006, clock.now());
    });
    // Read on, so that the client's going is seen.
    socket.resume();
    socket.on('end', () => socket.destroy());
  };

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new OffhookError(
          'ERR_PORT',
          `Starting the emulator on ${host}:${port}: found "${messageOf(error)}", wanted a free port`,
          { cause: error },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;

  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${bound.port}`,
    get sessions() {
      return service.sessions;
    },
    setNextScenario: (scenario) => service.setNextScenario(scenario),
    close: async () => {
      for (const client of sockets.clients) client.terminate();
      for (const socket of unanswered) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function refuseUpgrade(socket: Duplex, status: number): void {
  const words = STATUS_CODES[status] ?? 'Refused';
  socket.end(`HTTP/1.1 ${status} ${words}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { messageOf, OffhookError } from '../errors.ts';

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another program',
  EACCES: 'this user may not open that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host name',
};

export interface ListenRequest {
  /** What is opened, for the message: "public listener". */
  readonly what: string;
  readonly host: string;
  readonly port: number;
  /** The variables that name host and port, so that the reader knows what to change. */
  readonly settings: string;
}

/** Opens a port and says which one it became. @throws OffhookError ERR_PORT */
export async function openPort(app: FastifyInstance, request: ListenRequest): Promise<number> {
  const { what, host, port, settings } = request;
  try {
    await app.listen({ host, port });
  } catch (caught) {
    const code = caught instanceof Error && 'code' in caught ? String(caught.code) : '';
    throw new OffhookError(
      'ERR_PORT',
      `Opening the ${what} on "${host}:${port}": ${WHY[code] ?? messageOf(caught)}; wanted a free port (${settings}).`,
      { cause: caught, retryable: code === 'EADDRINUSE' },
    );
  }
  return (app.server.address() as AddressInfo).port;
}

/** The address under which this machine reaches one of its own listeners. */
export function loopbackUrl(host: string, port: number): string {
  const everywhere = host === '0.0.0.0' || host === '::' || host === '';
  const name = everywhere ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

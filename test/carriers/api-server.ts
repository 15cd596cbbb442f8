/** A carrier's API on this machine: each request gets the next answer, the last one for ever. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiDependencies } from '../../src/carriers/api-client.ts';

export interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly authorization: string;
  readonly body: string;
}
export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const servers: Server[] = [];

export async function closeServers(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

export function json(status: number, body?: object): Answer {
  return (response) =>
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(body === undefined ? undefined : JSON.stringify(body));
}

export const cutOff: Answer = (response) => response.destroy();

export async function apiServer(...answers: Answer[]): Promise<{ origin: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({
      method: request.method,
      url: request.url,
      authorization: request.headers.authorization ?? '',
      body: Buffer.concat(chunks).toString(),
    });
    answers[Math.min(seen.length, answers.length) - 1]?.(response, request);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { seen, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Where nobody listens any more. */
export async function closedOrigin(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** Pauses pass at once and are written down, as is every problem. */
export function outside(epochMs: number): ApiDependencies & { pauses: number[]; problems: string[] } {
  const pauses: number[] = [];
  const problems: string[] = [];
  return {
    pauses,
    problems,
    clock: {
      now: () => 0,
      epochMs: () => epochMs,
      setTimer(delayMs, onFire) {
        pauses.push(delayMs);
        setImmediate(onFire);
        return { cancel: () => {} };
      },
    },
    random: () => 0.5,
    fetch: globalThis.fetch,
    onProblem: (message) => problems.push(message),
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { healthProblem } from '../../deploy/healthcheck.ts';
import { project } from './compose-file.ts';

const LONG_MS = 10_000;
let stop = async (): Promise<void> => {};
afterEach(() => stop());

async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stop = async () => {
    server.close();
    server.closeAllConnections();
  };
  return (server.address() as AddressInfo).port;
}

describe('the container’s health check', () => {
  it('asks for /healthz, and is content with 200', async () => {
    const asked: unknown[] = [];
    const port = await serve((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end();
    });
    expect(await healthProblem('0.0.0.0', port, LONG_MS)).toBeNull();
    expect(asked).toEqual(['GET /healthz']);
  });

  it('names any other status', async () => {
    const port = await serve((_request, response) => response.writeHead(503).end());
    expect(await healthProblem('127.0.0.1', port, LONG_MS)).toBe('answered "503", wanted 200');
  });

  it('gives up on a gateway that accepts and never answers', async () => {
    const port = await serve(() => {});
    expect(await healthProblem('127.0.0.1', port, 50)).toBe('no answer within 50 ms');
  });

  it('reports a port that nobody listens on', async () => {
    const port = await serve(() => {});
    await stop();
    expect(await healthProblem('127.0.0.1', port, LONG_MS)).toContain('ECONNREFUSED');
  });

  it.each([
    [200, 0],
    [500, 1],
  ])('as a program: status %i is exit code %i', async (status, exitCode) => {
    const port = await serve((_request, response) => response.writeHead(status).end());
    const program = spawn(process.execPath, [fileURLToPath(project('deploy/healthcheck.ts'))], {
      env: { PORT: String(port), HOST: '' },
      stdio: 'ignore',
    });
    expect((await once(program, 'exit'))[0]).toBe(exitCode);
  });
});

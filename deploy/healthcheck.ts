/** The container's health check: asks this gateway's /healthz, because a slim image has no curl. Exit code 0 or 1. */
import { get } from 'node:http';
import { argv, env } from 'node:process';
import { fileURLToPath } from 'node:url';

/** Less than the check's own time limit, so that the reason is still printed. */
const TIMEOUT_MS = 3_000;

/** @returns why the gateway is not healthy, or null when it is. Never rejects. */
export function healthProblem(host: string, port: number, timeoutMs: number): Promise<string | null> {
  const everywhere = host === '0.0.0.0' || host === '::';
  const { promise, resolve } = Promise.withResolvers<string | null>();
  // Not fetch: loading it takes longer than the request, every time.
  const request = get({
    host: everywhere ? '127.0.0.1' : host,
    port,
    path: '/healthz',
    signal: AbortSignal.timeout(timeoutMs),
  });
  request.on('response', (response) => {
    response.resume();
    resolve(response.statusCode === 200 ? null : `answered "${response.statusCode}", wanted 200`);
  });
  request.on('error', (error) => {
    resolve(error.name === 'AbortError' ? `no answer within ${timeoutMs} ms` : error.message);
  });
  return promise;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { HOST, PORT } = env;
  const problem = await healthProblem(HOST || '0.0.0.0', Number(PORT || 8080), TIMEOUT_MS);
  if (problem !== null) {
    console.error(`GET /healthz: ${problem}`);
    process.exitCode = 1;
  }
}

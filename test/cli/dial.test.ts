import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.ts';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

interface Seen {
  readonly request: IncomingMessage;
  readonly body: string;
}

/** An admin listener that says one thing. */
async function listener(status: number, answer: unknown): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const listening = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      seen.push({ request, body });
      response.writeHead(status, { 'content-type': 'application/json', location: 'http://127.0.0.1:1/' });
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`, seen };
}

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(['dial', ...args], {
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    draw: () => {},
    env,
    isTerminal: false,
    columns: 80,
    stopSignal: () => new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

const ORDER = ['--carrier', 'telnyx', '--from', '+15550100002', '--to', '+15550100001'];
const PLACED = { ref: 'r1', callId: 'v3:x' };

describe('offhook dial', () => {
  it('asks the admin listener, and says what the call is called', async () => {
    const { url, seen } = await listener(201, PLACED);
    expect(await run([...ORDER, '--bot', 'reminder', '--url', url])).toEqual({
      code: 0,
      out: 'ringing: r1 (telnyx calls it v3:x)',
      err: '',
    });
    expect(seen.map(({ request, body }) => [request.method, request.url, JSON.parse(body)])).toEqual([
      [
        'POST',
        '/api/calls',
        { carrier: 'telnyx', from: '+15550100002', to: '+15550100001', bot: 'reminder' },
      ],
    ]);
    expect(seen[0]?.request.headers.authorization).toBeUndefined();
  });

  it('takes the token of the option before that of the environment, and the port of the environment', async () => {
    const { url, seen } = await listener(201, PLACED);
    const env = { ADMIN_TOKEN: 'from-the-environment', ADMIN_PORT: new URL(url).port };
    await run(ORDER, env);
    await run([...ORDER, '--token', 'from-the-option'], env);
    expect(seen.map(({ request }) => request.headers.authorization)).toEqual([
      'Bearer from-the-environment',
      'Bearer from-the-option',
    ]);
  });

  it('as JSON: the names of the call, or the problem', async () => {
    const good = await listener(201, PLACED);
    expect(JSON.parse((await run([...ORDER, '--url', good.url, '--json'])).out)).toEqual(PLACED);
    server?.close();
    const bad = await listener(429, { error: 'too-many', detail: 'found six: wanted fewer.' });
    const result = await run([...ORDER, '--url', bad.url, '--json']);
    expect([result.code, JSON.parse(result.out)]).toEqual([
      1,
      { status: 429, error: 'too-many', detail: 'found six: wanted fewer.' },
    ]);
  });

  it.each([
    ['a refusal', 403, { error: 'not-allowed', detail: 'to is "+1": wanted another.' }, 'to is "+1": wanted'],
    [
      'the carrier',
      502,
      { error: 'carrier', result: 'failed', detail: 'status 400' },
      'says "failed": status 400',
    ],
    ['the token', 401, { error: 'no-token' }, '--token, or ADMIN_TOKEN'],
    ['another server', 200, 'hello', 'status 200 and nothing that an admin listener says'],
    ['a redirect', 302, {}, 'status 302'],
    ['half an answer', 201, { ref: 'r1' }, 'status 201'],
  ])('%s is told in one sentence', async (_what, status, answer, sentence) => {
    const { url, seen } = await listener(status, answer);
    const result = await run([...ORDER, '--url', url]);
    expect(result.code).toBe(1);
    expect(result.err).toMatch(/^offhook: Cannot place the call: /);
    expect(result.err).toContain(sentence);
    expect(seen).toHaveLength(1);
  });

  it.each([
    ['nobody listens', ['--url', 'http://127.0.0.1:1'], 'a gateway that runs is wanted'],
    ['the address is none', ['--url', 'localhost'], 'an http or https URL is wanted'],
  ])('%s: one sentence', async (_what, args, sentence) => {
    const result = await run([...ORDER, ...args]);
    expect([result.code, result.err.includes(sentence)]).toEqual([1, true]);
    expect(result.err).not.toContain('This is a bug');
  });

  it.each([
    [['--carrier', 'acme', ...ORDER.slice(2)], 'acme'],
    [ORDER.slice(0, 4), '--to'],
    [ORDER.slice(2), '--carrier'],
  ])('%j is wrong use', async (args, found) => {
    const result = await run(args);
    expect([result.code, result.err.includes(found)]).toEqual([1, true]);
  });
});

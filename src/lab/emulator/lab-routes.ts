/** The emulator's own pages: what the sessions were, and which scenario comes next. For this machine only. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { writeWav } from '../../audio/wav.ts';
import { messageOf } from '../../errors.ts';
import { loadScenario, parseScenario } from '../scenario.ts';
import { INPUT_RATE } from './input-audio.ts';
import type { EmulatedService } from './service.ts';

const MAX_BODY_BYTES = 1024 * 1024;
const BODY_DEADLINE_MS = 10_000;

const nextScenarioSchema = z.union([
  z.strictObject({ path: z.string().min(1) }),
  /** As in a scenario file; paths in it are relative to the working directory. */
  z.strictObject({ scenario: z.record(z.string(), z.unknown()) }),
]);

/** Loopback by address and by name: a web page that is made to resolve to 127.0.0.1 stays outside. */
export function isFromThisMachine(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? '';
  const name = (request.headers.host ?? '').replace(/:\d+$/, '');
  const local = address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
  return local && ['localhost', '127.0.0.1', '[::1]'].includes(name);
}

/** Answers everything that is no upgrade. Never rejects. */
export async function answerHttp(
  service: EmulatedService,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await route(service, request, response);
  } catch (error) {
    if (!response.headersSent) json(response, 400, { error: messageOf(error) });
  }
}

async function route(
  service: EmulatedService,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0]!;
  if (!path.startsWith('/lab/')) return json(response, 404, { error: 'not found' });
  if (!isFromThisMachine(request)) return json(response, 403, { error: 'for this machine only' });
  if (request.method === 'GET' && path === '/lab/sessions') {
    return json(response, 200, service.sessions.map(summary));
  }
  const match = /^\/lab\/sessions\/(\d{1,9})(\/audio\.wav)?$/.exec(path);
  if (request.method === 'GET' && match !== null) {
    const record = service.sessions.find((session) => session.number === Number(match[1]));
    if (record === undefined) return json(response, 404, { error: `no session "${match[1]}"` });
    if (match[2] === undefined) return json(response, 200, record.toJson());
    const wav = writeWav(INPUT_RATE, [record.audio.toSamples()]);
    response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': wav.length }).end(wav);
    return;
  }
  if (request.method === 'PUT' && path === '/lab/next-scenario') {
    const body = nextScenarioSchema.parse(JSON.parse(await readBody(request)));
    const scenario =
      'path' in body
        ? loadScenario(body.path)
        : parseScenario(body.scenario, { name: 'in the request', directory: process.cwd() });
    service.setNextScenario(scenario);
    return json(response, 200, { next: scenario.name });
  }
  json(response, 404, { error: 'not found' });
}

const summary = (record: EmulatedService['sessions'][number]) => ({
  number: record.number,
  model: record.model,
  apiVersion: record.apiVersion,
  conversation: record.conversation,
  resumed: record.resumed,
  audioMs: record.pace.audioMs,
  refusals: record.refusals.length,
  faults: record.faults.length,
  closed: record.closed,
});

function json(response: ServerResponse, status: number, value: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(`${JSON.stringify(value, null, 2)}\n`);
}

function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  request.setTimeout(BODY_DEADLINE_MS, () => request.destroy());
  return new Promise((resolve, reject) => {
    request.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length <= MAX_BODY_BYTES) pieces.push(piece);
      // The rest is read and let go, so that the client comes to read the answer.
      else reject(new Error(`a body of more than ${MAX_BODY_BYTES} bytes`));
    });
    request.on('end', () => resolve(Buffer.concat(pieces).toString('utf8')));
    request.on('close', () => reject(new Error('a body that breaks off')));
  });
}

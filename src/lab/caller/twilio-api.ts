/**
 * The one resource of Twilio's REST API that a gateway needs during a call, on a loopback port: updating a call.
 * Source: Twilio, "Call resource": Basic auth, form-encoded, `Status=completed` hangs up, `Twiml=` replaces what the
 * call is doing; errors are JSON with a `code` (20003 credentials, 20404 no such call).
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the API may do to a running call. */
export interface ControlledCall {
  hangUp(): void;
  replaceTwiml(twiml: string): void;
}

export interface TwilioApi {
  readonly url: string;
  /** Makes a call known; the answer forgets it again. */
  register(callSid: string, call: ControlledCall): () => void;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 65_536;
const CALL_PATH = /^\/2010-04-01\/Accounts\/([^/]+)\/Calls\/([^/.]+)\.json$/;

export async function startTwilioApi(options: {
  readonly accountSid: string;
  readonly authToken: string;
  readonly port?: number;
}): Promise<TwilioApi> {
  const calls = new Map<string, ControlledCall>();
  const expected = `Basic ${Buffer.from(`${options.accountSid}:${options.authToken}`).toString('base64')}`;

  const answer = (response: ServerResponse, status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, accountSid, callSid] = CALL_PATH.exec(request.url ?? '') ?? [];
    if (request.headers.authorization !== expected || accountSid !== options.accountSid) {
      answer(response, 401, { code: 20003, message: 'Authenticate', status: 401 });
      return;
    }
    const form = new URLSearchParams(await readBody(request));
    const call = callSid === undefined ? undefined : calls.get(callSid);
    if (request.method !== 'POST' || call === undefined) {
      answer(response, 404, { code: 20404, message: 'The requested resource was not found', status: 404 });
      return;
    }
    const twiml = form.get('Twiml');
    const ends = form.get('Status') === 'completed';
    answer(response, 200, { sid: callSid, status: ends ? 'completed' : 'in-progress' });
    if (ends) call.hangUp();
    else if (twiml !== null) call.replaceTwiml(twiml);
  };

  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    register(callSid, call) {
      calls.set(callSid, call);
      return () => calls.delete(callSid);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > MAX_BODY_BYTES) throw new Error('body too large');
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}

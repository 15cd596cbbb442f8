/**
 * What a gateway needs of Vonage's Voice API. Source: Vonage, "Voice API reference": a token of the application's, JSON;
 * `PUT /v1/calls/{uuid}` hangs up or transfers, `…/dtmf` presses keys, `POST /v1/calls` places a call.
 */
import { type KeyObject, randomUUID } from 'node:crypto';
import type { Clock } from '../../../clock.ts';
import { type ApiReply, type ApiRequest, jsonFields, startApiServer } from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';
import { refusalOf } from './jwt.ts';

export interface VonageControlled {
  hangUp(): void;
  /** With the document itself, or where it is. */
  transfer(ncco: unknown, url: string | null): void;
  digits(digits: string): void;
}

export interface VonageApi {
  readonly url: string;
  readonly dials: DialDesk;
  register(uuid: string, call: VonageControlled): () => void;
  close(): Promise<void>;
}

const CALL_PATH = /^\/v1\/calls(?:\/([\w-]+)(\/dtmf)?)?$/;

export async function startVonageApi(options: {
  readonly clock: Clock;
  readonly applicationId: string;
  readonly publicKey: KeyObject;
  readonly port?: number;
}): Promise<VonageApi> {
  const calls = new Map<string, VonageControlled>();
  const dials = new DialDesk();

  const handle = ({ method, path, headers, body }: ApiRequest): ApiReply => {
    const refusal = refusalOf(headers.authorization, options, options.clock.epochMs());
    if (refusal !== null) return failure(401, 'Unauthorized', refusal);
    const [matched, uuid, dtmf] = CALL_PATH.exec(path) ?? [];
    const fields = jsonFields(body);
    if (method === 'POST' && matched !== undefined && uuid === undefined) return place(fields);
    const call = uuid === undefined ? undefined : calls.get(uuid);
    if (method !== 'PUT' || call === undefined) return failure(404, 'Not Found', 'no such call');
    if (dtmf !== undefined) return press(call, fields['digits']);
    return update(call, fields);
  };

  const place = (fields: Readonly<Record<string, unknown>>): ApiReply => {
    const [to, from] = [numberOf(fields['to']), numberOf(fields['from'])];
    if (to === null || from === null) return failure(400, 'Bad Request', 'to and from are wanted');
    const uuid = randomUUID();
    return {
      status: 201,
      json: { uuid, status: 'started', direction: 'outbound', conversation_uuid: `CON-${randomUUID()}` },
      afterwards: () => dials.place({ callId: uuid, from, to, fields }),
    };
  };

  const server = await startApiServer(handle, options.port);
  return {
    ...server,
    dials,
    register(uuid, call) {
      calls.set(uuid, call);
      return () => calls.delete(uuid);
    },
  };
}

function press(call: VonageControlled, digits: unknown): ApiReply {
  if (typeof digits !== 'string' || !/^[0-9*#p]{1,64}$/.test(digits)) {
    return failure(400, 'Bad Request', 'digits are wanted');
  }
  return { status: 200, json: { message: 'DTMF sent' }, afterwards: () => call.digits(digits) };
}

function update(
  call: VonageControlled,
  { action, destination }: Readonly<Record<string, unknown>>,
): ApiReply {
  if (action === 'hangup') return { status: 204, afterwards: () => call.hangUp() };
  const { type, ncco, url } = (destination ?? {}) as Record<string, unknown>;
  const address = Array.isArray(url) && typeof url[0] === 'string' ? url[0] : null;
  if (action !== 'transfer' || type !== 'ncco' || (ncco === undefined && address === null)) {
    return failure(400, 'Bad Request', 'hangup, or a transfer to an ncco, is wanted');
  }
  return { status: 204, afterwards: () => call.transfer(ncco, address) };
}

/** Of `[{"type":"phone","number":"…"}]`, or of the object alone. */
function numberOf(end: unknown): string | null {
  const one = Array.isArray(end) ? end[0] : end;
  const number = typeof one === 'object' && one !== null ? (one as Record<string, unknown>)['number'] : null;
  return typeof number === 'string' && /^\d{5,15}$/.test(number) ? number : null;
}

const failure = (status: number, title: string, detail: string): ApiReply => ({
  status,
  json: { type: 'about:blank', title, detail },
});

/**
 * What a gateway needs of jambonz's API. Source: jambonz, "REST API: calls": a bearer key, JSON; `call_status: completed`
 * or DELETE hangs up, `call_hook` sends the call to other verbs, a POST without a call places one.
 */
import { randomUUID } from 'node:crypto';
import { type ApiReply, type ApiRequest, jsonFields, startApiServer } from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';

export interface JambonzControlled {
  hangUp(): void;
  redirect(url: string): void;
  digits(digits: string): void;
}

export interface JambonzApi {
  readonly url: string;
  readonly dials: DialDesk;
  register(callSid: string, call: JambonzControlled): () => void;
  close(): Promise<void>;
}

const CALL_PATH = /\/v1\/Accounts\/([^/]+)\/Calls(?:\/([^/]+))?$/;

export async function startJambonzApi(options: {
  readonly accountSid: string;
  readonly apiKey: string;
  readonly port?: number;
}): Promise<JambonzApi> {
  const calls = new Map<string, JambonzControlled>();
  const dials = new DialDesk();

  const handle = ({ method, path, headers, body }: ApiRequest): ApiReply => {
    if (headers.authorization !== `Bearer ${options.apiKey}`) return failure(403, 'unauthorized');
    const [, account, callSid] = CALL_PATH.exec(path) ?? [];
    if (account !== options.accountSid) return failure(404, 'not found');
    const fields = jsonFields(body);
    if (callSid === undefined) return method === 'POST' ? place(fields) : failure(404, 'not found');
    const call = calls.get(callSid);
    if (call === undefined) return failure(404, 'call not found');
    if (method === 'DELETE') return { status: 204, afterwards: () => call.hangUp() };
    return method === 'PUT' || method === 'POST' ? update(call, fields) : failure(405, 'not allowed');
  };
  const place = (fields: Readonly<Record<string, unknown>>): ApiReply => {
    const { from, to, call_hook, application_sid } = fields;
    const { type, number } = (to ?? {}) as { type?: unknown; number?: unknown };
    if (type !== 'phone' || typeof number !== 'string' || typeof from !== 'string') {
      return failure(400, 'from and a phone to call are wanted');
    }
    if (call_hook === undefined && application_sid === undefined) return failure(400, 'call_hook is wanted');
    const callSid = randomUUID();
    return {
      status: 201,
      json: { sid: callSid, callId: randomUUID() },
      afterwards: () => dials.place({ callId: callSid, from, to: number, fields }),
    };
  };

  const server = await startApiServer(handle, options.port);
  return {
    ...server,
    dials,
    register(callSid, call) {
      calls.set(callSid, call);
      return () => calls.delete(callSid);
    },
  };
}

function update(call: JambonzControlled, fields: Readonly<Record<string, unknown>>): ApiReply {
  const { call_status, call_hook, dtmf } = fields;
  if (call_status === 'completed' || call_status === 'no-answer') {
    return { status: 202, afterwards: () => call.hangUp() };
  }
  const address = addressOf(call_hook);
  if (address !== null) return { status: 202, afterwards: () => call.redirect(address) };
  const digits = (dtmf as { digit?: unknown } | undefined)?.digit;
  if (typeof digits === 'string') return { status: 202, afterwards: () => call.digits(digits) };
  return failure(400, 'call_status, call_hook or dtmf is wanted');
}

/** A hook is an address, or an object with one. */
export function addressOf(hook: unknown): string | null {
  const address = typeof hook === 'string' ? hook : (hook as { url?: unknown } | undefined)?.url;
  return typeof address === 'string' && address !== '' ? address : null;
}

const failure = (status: number, msg: string): ApiReply => ({ status, json: { msg } });

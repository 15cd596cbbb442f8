/**
 * What a gateway needs of Telnyx's API: commands to a call, and placing one. Source: Telnyx, "Call Control": a bearer key,
 * JSON; a command with a `command_id` that was given before is not obeyed twice; 422 with code 90018 for a call that has
 * ended, 90102 for answering an outbound one.
 */
import { randomUUID } from 'node:crypto';
import { type ApiReply, type ApiRequest, jsonFields, startApiServer } from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';

export interface TelnyxCommand {
  /** `answer`, `streaming_start`, `hangup` …; of TeXML's API `texml`. */
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is wrong with a command, as the API says it. */
export interface TelnyxRefusal {
  readonly code: string;
  readonly title: string;
}

export interface TelnyxControlled {
  /** Why a command is refused; null when it is taken, and then obeyed. */
  check(command: TelnyxCommand): TelnyxRefusal | null;
  obey(command: TelnyxCommand): void;
}

export interface TelnyxApi {
  readonly url: string;
  readonly dials: DialDesk;
  register(callControlId: string, call: TelnyxControlled): () => void;
  close(): Promise<void>;
}

const ACTION_PATH = /^\/v2\/calls\/([^/]+)\/actions\/([a-z_]+)$/;
const TEXML_PATH = /^\/v2\/texml\/Accounts\/([^/]+)\/Calls\/([^/]+)$/;
const MOST_COMMAND_IDS = 10_000;

export async function startTelnyxApi(options: {
  readonly apiKey: string;
  readonly port?: number;
}): Promise<TelnyxApi> {
  const calls = new Map<string, TelnyxControlled>();
  const commandIds = new Set<string>();
  const dials = new DialDesk();

  const handle = ({ method, path, headers, body }: ApiRequest): ApiReply => {
    if (headers.authorization !== `Bearer ${options.apiKey}`)
      return failure(401, '10009', 'Authentication failed');
    if (method !== 'POST') return failure(404, '10005', 'Resource not found');
    const fields = jsonFields(body);
    if (path === '/v2/calls') return place(fields);
    const [, , texmlCall] = TEXML_PATH.exec(path) ?? [];
    if (texmlCall !== undefined) {
      return command(texmlCall, 'texml', Object.fromEntries(new URLSearchParams(body)));
    }
    const [, callId, name] = ACTION_PATH.exec(path) ?? [];
    return callId === undefined || name === undefined
      ? failure(404, '10005', 'Resource not found')
      : command(callId, name, fields);
  };
  const command = (callId: string, name: string, fields: TelnyxCommand['fields']): ApiReply => {
    const call = calls.get(decodeURIComponent(callId));
    if (call === undefined) return failure(422, '90018', 'Call has already ended');
    const { command_id: id } = fields;
    if (typeof id === 'string') {
      if (commandIds.has(id)) return done;
      if (commandIds.size < MOST_COMMAND_IDS) commandIds.add(id);
    }
    const refusal = call.check({ name, fields });
    if (refusal !== null) return failure(422, refusal.code, refusal.title);
    return { ...done, afterwards: () => call.obey({ name, fields }) };
  };
  const place = (fields: TelnyxCommand['fields']): ApiReply => {
    const { to, from, connection_id } = fields;
    if (typeof to !== 'string' || typeof from !== 'string' || typeof connection_id !== 'string') {
      return failure(422, '10015', 'to, from and connection_id are wanted');
    }
    const callId = `v3:${randomUUID()}`;
    const session = { call_leg_id: randomUUID(), call_session_id: randomUUID() };
    return {
      status: 200,
      json: { data: { call_control_id: callId, ...session, is_alive: false, record_type: 'call' } },
      afterwards: () => dials.place({ callId, from, to, fields }),
    };
  };

  const server = await startApiServer(handle, options.port);
  return {
    ...server,
    dials,
    register(callControlId, call) {
      calls.set(callControlId, call);
      return () => calls.delete(callControlId);
    },
  };
}

const done: ApiReply = { status: 200, json: { data: { result: 'ok' } } };
const failure = (status: number, code: string, title: string): ApiReply => ({
  status,
  json: { errors: [{ code, title, detail: title }] },
});

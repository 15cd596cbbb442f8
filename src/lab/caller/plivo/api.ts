/**
 * What a gateway needs of Plivo's API. Source: Plivo, "Call API": Basic credentials, JSON; `DELETE` hangs up, `POST` with
 * `aleg_url` sends the caller to another document, `…/DTMF/` presses keys, `POST …/Call/` places a call.
 */
import { randomUUID } from 'node:crypto';
import {
  type ApiReply,
  type ApiRequest,
  basicCredentials,
  jsonFields,
  startApiServer,
} from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';

export interface PlivoControlled {
  hangUp(): void;
  redirect(url: string): void;
  digits(digits: string): void;
}

export interface PlivoApi {
  readonly url: string;
  readonly dials: DialDesk;
  register(callUuid: string, call: PlivoControlled): () => void;
  close(): Promise<void>;
}

const CALL_PATH = /^\/v1\/Account\/([^/]+)\/Call\/(?:([^/]+)\/)?(?:(DTMF)\/)?$/;

export async function startPlivoApi(options: {
  readonly authId: string;
  readonly authToken: string;
  readonly port?: number;
}): Promise<PlivoApi> {
  const calls = new Map<string, PlivoControlled>();
  const dials = new DialDesk();
  const expected = basicCredentials(options.authId, options.authToken);

  const handle = ({ method, path, headers, body }: ApiRequest): ApiReply => {
    const [, account, uuid, dtmf] = CALL_PATH.exec(path) ?? [];
    if (headers.authorization !== expected || (account !== undefined && account !== options.authId)) {
      return failure(401, 'Could not verify your access level for that URL');
    }
    const fields = jsonFields(body);
    if (account !== undefined && uuid === undefined && method === 'POST') return place(fields);
    const call = uuid === undefined ? undefined : calls.get(uuid);
    if (call === undefined) return failure(404, 'not found');
    if (method === 'DELETE') return { status: 204, afterwards: () => call.hangUp() };
    if (method !== 'POST') return failure(405, 'method not allowed');
    if (dtmf !== undefined) {
      const { digits } = fields;
      if (typeof digits !== 'string' || digits === '') return failure(400, 'digits are wanted');
      return { status: 202, json: { message: 'digits sent' }, afterwards: () => call.digits(digits) };
    }
    const { legs = 'aleg', aleg_url: address } = fields;
    if (legs !== 'aleg' || typeof address !== 'string') return failure(400, 'aleg_url is wanted');
    return {
      status: 202,
      json: { message: 'call transferred', call_uuids: [uuid] },
      afterwards: () => call.redirect(address),
    };
  };
  const place = (fields: Readonly<Record<string, unknown>>): ApiReply => {
    const { to, from, answer_url } = fields;
    if (typeof to !== 'string' || typeof from !== 'string' || typeof answer_url !== 'string') {
      return failure(400, 'from, to and answer_url are wanted');
    }
    const requestUuid = randomUUID();
    return {
      status: 201,
      json: { message: 'call fired', request_uuid: requestUuid, api_id: randomUUID() },
      afterwards: () => dials.place({ callId: requestUuid, from, to, fields }),
    };
  };

  const server = await startApiServer(handle, options.port);
  return {
    ...server,
    dials,
    register(callUuid, call) {
      calls.set(callUuid, call);
      return () => calls.delete(callUuid);
    },
  };
}

const failure = (status: number, error: string): ApiReply => ({ status, json: { error } });

/**
 * What a gateway needs of SignalWire's Compatibility API. Source: its published OpenAPI: Basic credentials (project and
 * token), a form; `Status=completed` hangs up, `Url=` sends the call to another document. There is no `Twiml` field.
 */
import { randomUUID } from 'node:crypto';
import { type ApiReply, type ApiRequest, basicCredentials, startApiServer } from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';

export interface SignalwireControlled {
  hangUp(): void;
  redirect(url: string): void;
}

export interface SignalwireApi {
  readonly url: string;
  readonly dials: DialDesk;
  register(callSid: string, call: SignalwireControlled): () => void;
  close(): Promise<void>;
}

const CALL_PATH = /^\/api\/laml\/2010-04-01\/Accounts\/([^/]+)\/Calls(?:\/([^/.]+))?(?:\.json)?$/;

export async function startSignalwireApi(options: {
  readonly projectId: string;
  readonly apiToken: string;
  readonly port?: number;
}): Promise<SignalwireApi> {
  const calls = new Map<string, SignalwireControlled>();
  const dials = new DialDesk();
  const expected = basicCredentials(options.projectId, options.apiToken);

  const handle = ({ method, path, headers, body }: ApiRequest): ApiReply => {
    const [, project, callSid] = CALL_PATH.exec(path) ?? [];
    if (headers.authorization !== expected || project !== options.projectId) {
      return failure(401, 'You are not authorized to perform that action');
    }
    const form = new URLSearchParams(body);
    if (method === 'POST' && callSid === undefined) return place(form);
    const call = callSid === undefined ? undefined : calls.get(callSid);
    if (method !== 'POST' || call === undefined) return failure(404, 'The requested resource was not found');
    const [status, url] = [form.get('Status'), form.get('Url')];
    const ends = status === 'completed' || status === 'canceled';
    if (!ends && url === null) return failure(422, 'Status or Url is wanted');
    return {
      status: 200,
      json: { sid: callSid, status: ends ? 'completed' : 'in-progress' },
      afterwards: () => (ends ? call.hangUp() : call.redirect(url!)),
    };
  };
  const place = (form: URLSearchParams): ApiReply => {
    const [to, from, url] = [form.get('To'), form.get('From'), form.get('Url')];
    if (!to || !from || !url) return failure(422, 'To, From and Url are wanted');
    const callId = randomUUID();
    return {
      status: 201,
      json: { sid: callId, status: 'queued', direction: 'outbound-api' },
      afterwards: () => dials.place({ callId, from, to, fields: Object.fromEntries(form) }),
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

const failure = (status: number, message: string): ApiReply => ({ status, json: { status, message } });

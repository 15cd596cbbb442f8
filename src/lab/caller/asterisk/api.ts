/**
 * What a gateway needs of Asterisk's REST interface. Source: Asterisk, "ARI: channels": Basic credentials;
 * `DELETE /channels/{id}` hangs up, `…/redirect?endpoint=` and `…/continue?…` send the caller elsewhere, `…/dtmf?dtmf=`
 * presses keys, `POST /channels` places a call.
 */
import {
  type ApiReply,
  type ApiRequest,
  basicCredentials,
  jsonFields,
  startApiServer,
} from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';

export interface AsteriskControlled {
  hangUp(): void;
  redirect(target: string): void;
  digits(digits: string): void;
}

export interface AsteriskApi {
  readonly url: string;
  readonly dials: DialDesk;
  register(channelId: string, call: AsteriskControlled): () => void;
  close(): Promise<void>;
}

const CHANNEL_PATH = /^(?:\/ari)?\/channels(?:\/([^/]+)(?:\/(redirect|continue|dtmf))?)?$/;

export async function startAsteriskApi(options: {
  readonly username: string;
  readonly password: string;
  readonly port?: number;
}): Promise<AsteriskApi> {
  const calls = new Map<string, AsteriskControlled>();
  const dials = new DialDesk();
  const expected = basicCredentials(options.username, options.password);

  const handle = ({ method, path, query, headers, body }: ApiRequest): ApiReply => {
    if (headers.authorization !== expected) return failure(401, 'Authentication required');
    const [matched, named, action] = CHANNEL_PATH.exec(path) ?? [];
    const asked = { ...Object.fromEntries(query), ...jsonFields(body) };
    if (method === 'POST' && matched !== undefined && named === undefined) return place(asked);
    const call = named === undefined ? undefined : calls.get(decodeURIComponent(named));
    if (call === undefined) return failure(404, 'Channel not found');
    if (method === 'DELETE' && action === undefined) return { status: 204, afterwards: () => call.hangUp() };
    if (method === 'POST' && action !== undefined) return act(call, action, asked);
    return failure(405, 'Invalid method');
  };
  const place = (asked: Readonly<Record<string, unknown>>): ApiReply => {
    const { endpoint, callerId = '', channelId } = asked;
    if (typeof endpoint !== 'string' || endpoint === '') return failure(400, 'Endpoint must be specified');
    const id = typeof channelId === 'string' && channelId !== '' ? channelId : `dialled-${calls.size + 1}`;
    const [, to = ''] = /^[^/]+\/(?:sip:)?([^@/]+)/.exec(endpoint) ?? [];
    const [, from = ''] = /<([^>]*)>/.exec(String(callerId)) ?? [null, String(callerId)];
    return {
      status: 200,
      json: { id, state: 'Down' },
      afterwards: () => dials.place({ callId: id, from, to, fields: asked }),
    };
  };

  const server = await startApiServer(handle, options.port);
  return {
    ...server,
    dials,
    register(channelId, call) {
      calls.set(channelId, call);
      return () => calls.delete(channelId);
    },
  };
}

function act(call: AsteriskControlled, action: string, asked: Readonly<Record<string, unknown>>): ApiReply {
  if (action === 'dtmf') {
    const digits = String(asked['dtmf'] ?? '');
    if (digits === '') return failure(400, 'DTMF is required');
    return { status: 204, afterwards: () => call.digits(digits) };
  }
  const target = action === 'redirect' ? asked['endpoint'] : (asked['extension'] ?? asked['label']);
  if (typeof target !== 'string' || target === '') return failure(400, `"${action}" wants a target`);
  return { status: 204, afterwards: () => call.redirect(target) };
}

const failure = (status: number, message: string): ApiReply => ({ status, json: { message } });

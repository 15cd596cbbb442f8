/**
 * What a gateway needs of Twilio's REST API: updating a call, and placing one. Source: Twilio, "Call resource": Basic
 * auth, form-encoded, `Status=completed` hangs up, `Twiml=` replaces what the call is doing; errors are JSON with a
 * `code` (20003 credentials, 20404 no such call, 21201 no "To").
 */
import { randomBytes } from 'node:crypto';
import { type ApiReply, type ApiRequest, basicCredentials, startApiServer } from '../api-server.ts';
import { DialDesk } from '../dial-desk.ts';

/** What the API may do to a running call. */
export interface ControlledCall {
  hangUp(): void;
  replaceTwiml(twiml: string): void;
}

export interface TwilioApi {
  readonly url: string;
  readonly dials: DialDesk;
  /** Makes a call known; the answer forgets it again. */
  register(callSid: string, call: ControlledCall): () => void;
  close(): Promise<void>;
}

const CALL_PATH = /^\/2010-04-01\/Accounts\/([^/]+)\/Calls(?:\/([^/.]+))?\.json$/;

export async function startTwilioApi(options: {
  readonly accountSid: string;
  readonly authToken: string;
  readonly port?: number;
}): Promise<TwilioApi> {
  const calls = new Map<string, ControlledCall>();
  const dials = new DialDesk();
  const expected = basicCredentials(options.accountSid, options.authToken);

  const handle = ({ method, path, headers, body }: ApiRequest): ApiReply => {
    const [, accountSid, callSid] = CALL_PATH.exec(path) ?? [];
    if (headers.authorization !== expected || accountSid !== options.accountSid) {
      return failure(401, 20003, 'Authenticate');
    }
    const form = new URLSearchParams(body);
    if (method === 'POST' && callSid === undefined) return place(form);
    const call = callSid === undefined ? undefined : calls.get(callSid);
    if (method !== 'POST' || call === undefined) {
      return failure(404, 20404, 'The requested resource was not found');
    }
    const twiml = form.get('Twiml');
    const ends = form.get('Status') === 'completed';
    return {
      status: 200,
      json: { sid: callSid, status: ends ? 'completed' : 'in-progress' },
      afterwards: () => {
        if (ends) call.hangUp();
        else if (twiml !== null) call.replaceTwiml(twiml);
      },
    };
  };
  const place = (form: URLSearchParams): ApiReply => {
    const [to, from] = [form.get('To'), form.get('From')];
    if (!to || !from) return failure(400, 21201, 'No "To" or "From" number is specified');
    const callId = `CA${randomBytes(16).toString('hex')}`;
    const fields = Object.fromEntries(form);
    return {
      status: 201,
      json: { sid: callId, status: 'queued', direction: 'outbound-api' },
      afterwards: () => dials.place({ callId, from, to, fields }),
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

const failure = (status: number, code: number, message: string): ApiReply => ({
  status,
  json: { code, message, status },
});

import { type ApiCall, type ApiDependencies, callApi } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import { isObject } from '../json-messages.ts';
import { apiOrigin, type SignalwireSettings, signalwireAddresses } from './settings.ts';

/** Error codes that SignalWire took over: no such resource; the call is not in progress. */
const CODES_OF_AN_ENDED_CALL = new Set(['20404', '21220']);

/**
 * Changes live calls: `POST /api/laml/2010-04-01/Accounts/{project}/Calls/{sid}`, a form, Basic credentials. Source:
 * SignalWire, "Compatibility API: calls"; the fields are those of `@signalwire/compatibility-api` 3.2.
 */
export function createSignalwireControl(
  settings: SignalwireSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): ControlPort {
  const addresses = signalwireAddresses(publicUrl);
  const origin = apiOrigin(settings);
  const account = encodeURIComponent(settings.projectId);

  function request(
    what: string,
    path: string,
    form: Readonly<Record<string, string>>,
    repeat: ApiCall['repeat'],
  ): ApiCall {
    return {
      what: `${what} a call at SignalWire`,
      url: `${origin}/api/laml/2010-04-01/Accounts/${account}/Calls${path}`,
      credentials: settings.apiTokens,
      request: (apiToken) => ({
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${settings.projectId}:${apiToken}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
        },
        body: new URLSearchParams(form).toString(),
      }),
      judge: judgeReply,
      repeat,
    };
  }

  return {
    async hangup(callId) {
      if (origin === null) return 'unsupported';
      const path = `/${encodeURIComponent(callId)}`;
      return callApi(request('ending', path, { Status: 'completed' }, 'any-trouble'), dependencies);
    },
    /** The API takes no document, only an address of one; the end of the stream is where a transfer is asked for. */
    transfer: async () => 'unsupported',
    /** Keys go through the stream. */
    sendDtmf: async () => 'unsupported',
    ...(origin === null
      ? {}
      : {
          dial: (call: DialRequest) =>
            dialByApi(request('placing', '', dialForm(call, addresses), 'refused'), callIdOf, dependencies),
        }),
  };
}

/** Machines are told from people while the bot talks already: waiting for the verdict costs seconds of silence. */
function dialForm(
  call: DialRequest,
  { voice, events }: ReturnType<typeof signalwireAddresses>,
): Record<string, string> {
  const detection = {
    MachineDetection: 'Enable',
    AsyncAmd: 'true',
    AsyncAmdStatusCallback: events,
    AsyncAmdStatusCallbackMethod: 'POST',
  };
  return {
    From: call.from,
    To: call.to,
    Url: `${voice}?ref=${encodeURIComponent(call.ref)}`,
    Method: 'POST',
    Timeout: String(Math.max(1, Math.round(call.ringSeconds))),
    StatusCallback: events,
    StatusCallbackMethod: 'POST',
    ...(call.detectMachine ? detection : {}),
  };
}

function callIdOf(json: unknown): string | null {
  const sid = isObject(json) ? json['sid'] : null;
  return typeof sid === 'string' ? sid : null;
}

function judgeReply(status: number, body: string): { result: ControlResult; found: string } {
  const code = errorCodeOf(body);
  const found = code === null ? `status ${status}` : `status ${status} with error code ${code}`;
  if (status >= 200 && status < 300) return { result: 'done', found };
  if (code !== null && CODES_OF_AN_ENDED_CALL.has(code)) return { result: 'already-ended', found };
  const mayPass = status === 408 || status === 429 || status >= 500;
  return { result: mayPass ? 'retryable' : 'failed', found };
}

/** Errors are JSON with a `code`, a number or its digits; anything else, such as a proxy's page, has none. */
function errorCodeOf(body: string): string | null {
  try {
    const reply: unknown = JSON.parse(body);
    const code = isObject(reply) ? String(reply['code']) : '';
    return /^[0-9]{1,9}$/.test(code) ? code : null;
  } catch {
    return null;
  }
}

import { type ApiCall, type ApiDependencies, callApi } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import { isObject } from '../json-messages.ts';
import { type TwilioAddresses, type TwilioSettings, twilioAddresses } from './settings.ts';
import { dialDocument, playDigitsDocument } from './twiml.ts';

/** Twilio error codes: no such resource; the call is not in progress, so it cannot be redirected. */
const CODES_OF_AN_ENDED_CALL = new Set([20404, 21220]);

/** Changes and places calls: `POST /2010-04-01/Accounts/{AccountSid}/Calls[/{CallSid}].json`, a form, Basic credentials. */
export function createTwilioControl(
  settings: TwilioSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): ControlPort {
  const addresses = twilioAddresses(publicUrl);
  const baseUrl = settings.apiBaseUrl === undefined ? apiOrigin(settings) : settings.apiBaseUrl;

  function request(
    what: string,
    path: string,
    form: Readonly<Record<string, string>>,
    repeat: ApiCall['repeat'],
  ): ApiCall {
    const account = encodeURIComponent(settings.accountSid);
    return {
      what: `${what} a call at Twilio`,
      url: `${baseUrl}/2010-04-01/Accounts/${account}/Calls${path}.json`,
      credentials: settings.authTokens,
      request: (authToken) => ({
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${settings.accountSid}:${authToken}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
        },
        body: new URLSearchParams(form).toString(),
      }),
      judge: judgeReply,
      repeat,
    };
  }

  async function update(
    what: string,
    callId: string,
    form: Readonly<Record<string, string>>,
    repeat: ApiCall['repeat'],
  ): Promise<ControlResult> {
    if (baseUrl === null) return 'unsupported';
    return callApi(request(what, `/${encodeURIComponent(callId)}`, form, repeat), dependencies);
  }

  return {
    hangup: (callId) => update('ending', callId, { Status: 'completed' }, 'any-trouble'),
    transfer: (callId, target, callerId) => {
      const document = dialDocument(target, callerId, addresses);
      return update('transferring', callId, { Twiml: document }, 'refused');
    },
    /** Digits are 0-9, `*`, `#` and `w` (half a second's pause). Ends the stream; Twilio then asks `/twilio/after`. */
    sendDtmf: async (callId, digits) => {
      if (!/^[0-9*#w]{1,64}$/.test(digits)) return 'failed';
      return update(
        'playing digits into',
        callId,
        { Twiml: playDigitsDocument(digits, addresses) },
        'refused',
      );
    },
    ...(baseUrl === null
      ? {}
      : {
          dial: (call: DialRequest) =>
            dialByApi(request('placing', '', dialForm(call, addresses), 'refused'), callIdOf, dependencies),
        }),
  };
}

/** Machines are told from people while the bot talks already: waiting for the verdict costs seconds of silence. */
function dialForm(call: DialRequest, { voice, events }: TwilioAddresses): Record<string, string> {
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

/** `api.{edge}.{region}.twilio.com`; an edge alone means region us1. Source: the `twilio` package's host names. */
export function apiOrigin({ region, edge }: Pick<TwilioSettings, 'region' | 'edge'>): string {
  const labels = ['api', edge, region || (edge ? 'us1' : undefined)].filter(Boolean);
  return `https://${labels.join('.')}.twilio.com`;
}

function judgeReply(status: number, body: string): { result: ControlResult; found: string } {
  const code = errorCodeOf(body);
  const found = code === null ? `status ${status}` : `status ${status} with error code ${code}`;
  if (status >= 200 && status < 300) return { result: 'done', found };
  if (code !== null && CODES_OF_AN_ENDED_CALL.has(code)) return { result: 'already-ended', found };
  const mayPass = status === 408 || status === 429 || status >= 500;
  return { result: mayPass ? 'retryable' : 'failed', found };
}

/** Twilio's errors are JSON with a numeric `code`; anything else, such as a proxy's page, has none. */
function errorCodeOf(body: string): number | null {
  try {
    const code: unknown = (JSON.parse(body) as { code?: unknown } | null)?.code;
    return typeof code === 'number' ? code : null;
  } catch {
    return null;
  }
}

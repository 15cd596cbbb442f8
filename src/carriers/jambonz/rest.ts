import { type ApiCall, type ApiDependencies, callApi, type Judgement, judgeStatus } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import { type JambonzSettings, jambonzAddresses } from './settings.ts';
import { tagOf } from './verbs.ts';

const DIGITS = /^[0-9*#w]{1,32}$/;
/** One request plays one digit; the next must not begin before it has ended. */
const DIGIT_MS = 250;
const BETWEEN_DIGITS_MS = 350;
const PAUSE_MS = 500;
const UNPROCESSABLE = 422;

/**
 * Calls at jambonz: `/v1/Accounts/{account_sid}/Calls`, JSON, a bearer token. Paths and members checked against
 * `@jambonz/sdk` 0.10.
 */
export function createJambonzControl(
  settings: JambonzSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): ControlPort {
  const addresses = jambonzAddresses(publicUrl);
  const baseUrl = settings.apiBaseUrl?.replace(/\/+$/, '').replace(/\/v1$/, '') ?? null;
  const callsUrl = `${baseUrl}/v1/Accounts/${encodeURIComponent(settings.accountSid)}/Calls`;

  function apiCall(
    what: string,
    method: 'POST' | 'PUT',
    url: string,
    body: object,
    repeat: ApiCall['repeat'],
  ): ApiCall {
    return {
      what,
      url,
      credentials: settings.apiKeys,
      request: (apiKey) => ({
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          'content-type': 'application/json',
          accept: 'application/json',
        },
        body: JSON.stringify(body),
      }),
      judge,
      repeat,
    };
  }

  async function update(
    what: string,
    callId: string,
    body: object,
    repeat: ApiCall['repeat'],
  ): Promise<ControlResult> {
    if (baseUrl === null) return 'unsupported';
    const url = `${callsUrl}/${encodeURIComponent(callId)}`;
    return callApi(apiCall(`${what} a call at jambonz`, 'PUT', url, body, repeat), dependencies);
  }

  function pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      dependencies.clock.setTimer(delayMs, resolve);
    });
  }

  async function sendDtmf(callId: string, digits: string): Promise<ControlResult> {
    if (!DIGITS.test(digits)) return 'failed';
    for (const [index, digit] of [...digits].entries()) {
      if (digit === 'w') {
        await pause(PAUSE_MS);
        continue;
      }
      const dtmf = { digit, duration: DIGIT_MS };
      const result = await update('playing a digit into', callId, { dtmf }, 'refused');
      if (result !== 'done') return result;
      if (index < digits.length - 1) await pause(BETWEEN_DIGITS_MS);
    }
    return 'done';
  }

  const dial = (applicationSid: string) => (request: DialRequest) =>
    dialByApi(
      apiCall(
        'placing a call at jambonz',
        'POST',
        callsUrl,
        {
          // Without speech settings jambonz takes calls of an application only, and asks that application's webhooks.
          application_sid: applicationSid,
          from: request.from,
          to: { type: 'phone', number: request.to },
          timeout: request.ringSeconds,
          tag: tagOf(request.ref),
          ...(request.detectMachine ? { amd: { actionHook: addresses.events } } : {}),
        },
        'refused',
      ),
      (json) => (json as { sid?: unknown }).sid,
      dependencies,
    );

  return {
    /** `completed` is for a call that was answered; one that still rings is `no-answer`. */
    hangup: async (callId) => {
      const result = await update('ending', callId, { call_status: 'completed' }, 'any-trouble');
      if (result !== 'failed') return result;
      return update('cancelling', callId, { call_status: 'no-answer' }, 'any-trouble');
    },
    /** The stream's end asks `after`, which answers with whom to dial: no API is needed for it. */
    transfer: async () => 'unsupported',
    sendDtmf: async (callId, digits) => (baseUrl === null ? 'unsupported' : sendDtmf(callId, digits)),
    ...(baseUrl === null || settings.applicationSid == null ? {} : { dial: dial(settings.applicationSid) }),
  };
}

function judge(status: number, body: string): Judgement {
  const gone = status === UNPROCESSABLE && /call session is gone/i.test(body);
  return judgeStatus(status, status === 404 || gone);
}

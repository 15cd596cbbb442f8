/**
 * Placing and changing calls by forms: the API of Twilio, and those that were made after it. `POST
 * …/Accounts/{account}/Calls[/{call}]`, Basic credentials; what comes back is JSON.
 */
import { type ApiCall, type Judgement, judgeStatus } from './api-client.ts';
import type { DialRequest } from './carrier.ts';
import { isObject } from './json-messages.ts';

/** No such resource; the call is not in progress, so it cannot be changed. */
const CODES_OF_AN_ENDED_CALL = new Set(['20404', '21220']);

export type CallForm = Readonly<Record<string, string>>;

/** @returns the request for one of the account's keys */
export function formRequest(account: string, form: CallForm): ApiCall['request'] {
  return (key) => ({
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${account}:${key}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: new URLSearchParams(form).toString(),
  });
}

/** Machines are told from people while the bot talks already: waiting for the verdict costs seconds of silence. */
export function dialForm(
  call: DialRequest,
  { voice, events }: { readonly voice: string; readonly events: string },
): CallForm {
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

/** Of the call that was placed. */
export function callSidOf(json: unknown): string | null {
  const sid = isObject(json) ? json['sid'] : null;
  return typeof sid === 'string' ? sid : null;
}

export function judgeFormReply(status: number, body: string): Judgement {
  const code = errorCodeOf(body);
  if (code === null) return judgeStatus(status, false);
  return judgeStatus(status, CODES_OF_AN_ENDED_CALL.has(code), `status ${status} with error code ${code}`);
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

import { createHash } from 'node:crypto';
import { type ApiCall, type ApiDependencies, callApi, type Judgement, judgeStatus } from '../api-client.ts';
import type { ControlResult } from '../carrier.ts';
import { isObject } from '../json-messages.ts';
import type { TelnyxSettings } from './settings.ts';

/**
 * Commands to a call: `POST /v2/calls/{call_control_id}/actions/<action>`, JSON, a bearer key. Source: the `telnyx`
 * package 7.24, `resources/calls/actions`.
 */
const DEFAULT_ORIGIN = 'https://api.telnyx.com';
/** Telnyx error codes: the call has already ended; it has not been answered yet. */
const ALREADY_ENDED = '90018';
const NOT_ANSWERED_YET = '90034';
/** From our answer to Telnyx's word that the call is answered some hundred milliseconds go by. */
const ANSWER_POLL_MS = 250;
const ANSWER_POLLS = 12;

export interface CommandReply {
  readonly result: ControlResult;
  /** Telnyx's error code, where it gave one. */
  readonly code: string | null;
}

export interface Commands {
  send(
    what: string,
    callId: string,
    action: string,
    body: Readonly<Record<string, unknown>>,
    repeat: ApiCall['repeat'],
  ): Promise<CommandReply>;
  /** As `send`, and again for as long as the call has not been answered, but not for ever. */
  sendOnceAnswered(
    what: string,
    callId: string,
    action: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<CommandReply>;
}

export function createTelnyxCommands(settings: TelnyxSettings, dependencies: ApiDependencies): Commands {
  const origin = apiOrigin(settings);

  const send: Commands['send'] = async (what, callId, action, body, repeat) => {
    if (origin === null) return { result: 'unsupported', code: null };
    let code: string | null = null;
    const result = await callApi(
      {
        what: `${what} a call at Telnyx`,
        url: `${origin}/v2/calls/${pathSegment(callId)}/actions/${action}`,
        credentials: settings.apiKeys,
        request: (apiKey) => jsonRequest(apiKey, body),
        judge: (status, text) => {
          code = errorCodeOf(text);
          return judgeReply(status, code);
        },
        repeat,
      },
      {
        ...dependencies,
        // That it is too early is no problem: it will be asked again.
        onProblem: (message) => {
          if (code !== NOT_ANSWERED_YET) dependencies.onProblem(message);
        },
      },
    );
    return { result, code };
  };

  return {
    send,
    async sendOnceAnswered(what, callId, action, body) {
      for (let poll = 1; ; poll += 1) {
        const reply = await send(what, callId, action, body, 'any-trouble');
        if (reply.code !== NOT_ANSWERED_YET || poll === ANSWER_POLLS) return reply;
        await pause(ANSWER_POLL_MS, dependencies);
      }
    },
  };
}

export function apiOrigin({ apiBaseUrl }: TelnyxSettings): string | null {
  return apiBaseUrl === undefined ? DEFAULT_ORIGIN : apiBaseUrl;
}

export function jsonRequest(
  apiKey: string,
  body: Readonly<Record<string, unknown>>,
): ReturnType<ApiCall['request']> {
  return {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      accept: 'application/json',
    },
    body: JSON.stringify(body),
  };
}

/** The colon of a call's id stays, as in the requests of Telnyx's own package. */
function pathSegment(callId: string): string {
  return encodeURIComponent(callId).replaceAll('%3A', ':');
}

export function pause(delayMs: number, { clock }: ApiDependencies): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}

/** Names a deed: Telnyx ignores a second command of a call with the same id, whichever process sends it. */
export function commandId(callId: string, deed: string): string {
  const hex = createHash('sha256').update(`offhook command\n${callId}\n${deed}`).digest('hex');
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export function judgeReply(status: number, code: string | null): Judgement {
  return judgeStatus(
    status,
    code === ALREADY_ENDED,
    code === null ? undefined : `status ${status} with error code ${code}`,
  );
}

/** Telnyx's errors are JSON with a list whose codes are strings of digits; a proxy's page has none. */
export function errorCodeOf(body: string): string | null {
  try {
    const errors: unknown = (JSON.parse(body) as { errors?: unknown } | null)?.errors;
    const first: unknown = Array.isArray(errors) ? errors[0] : null;
    const code = isObject(first) ? String(first['code']) : '';
    return /^[0-9]{1,9}$/.test(code) ? code : null;
  } catch {
    return null;
  }
}

import { type ApiCall, type ApiDependencies, callApi, judgeStatus } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import type { AriSettings } from './settings.ts';

/** Names of the channel variables that a placed call takes into the dialplan, which hands them back in `v(…)`. */
const DIAL_VARIABLES = { ref: 'OFFHOOK_REF', to: 'OFFHOOK_TO' } as const;
const NUMBER = /^\+?[0-9*#]{1,32}$/;
const SIP_ADDRESS = /^sips?:[A-Za-z0-9.+_~%-]{1,64}@[A-Za-z0-9.:[\]-]{1,128}$/i;
/** Of a channel: not in an ARI application; Asterisk hangs up any, but does nothing else to those of a plain dialplan. */
const CONFLICT = 409;
const PLACING = 'placing';

/**
 * Acts on the caller's channel through Asterisk's REST interface (ARI). Source: Asterisk, `rest-api/api-docs/channels`
 * and `res/ari/resource_channels.c`.
 */
export function createAsteriskControl(ari: AriSettings | null, dependencies: ApiDependencies): ControlPort {
  if (ari === null) {
    const unsupported = async (): Promise<ControlResult> => 'unsupported';
    return { hangup: unsupported, transfer: unsupported, sendDtmf: unsupported };
  }
  const { callersInStasis = false, dial, passwords, username } = ari;
  const base = ari.url.replace(/\/+$/, '').replace(/\/ari$/, '');

  function request(
    what: string,
    method: 'DELETE' | 'POST',
    path: string,
    body: object | null,
    repeat: ApiCall['repeat'],
  ): ApiCall {
    return {
      what: `${what} a call at Asterisk`,
      url: `${base}/ari/channels${path}`,
      credentials: passwords,
      request: (password) => ({
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
          accept: 'application/json',
          ...(body === null ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === null ? {} : { body: JSON.stringify(body) }),
      }),
      judge: (status) =>
        status === CONFLICT && what !== PLACING
          ? { result: 'unsupported', found: `status ${status}` }
          : judgeStatus(status, status === 404),
      repeat,
    };
  }

  return {
    hangup: (callId) =>
      callApi(
        request('ending', 'DELETE', `/${encodeURIComponent(callId)}`, null, 'any-trouble'),
        dependencies,
      ),
    transfer: async (callId, target) => {
      const endpoint = callersInStasis ? endpointOf(target, dial?.endpoint) : null;
      if (endpoint === null) return 'unsupported';
      const path = `/${encodeURIComponent(callId)}/redirect?${new URLSearchParams({ endpoint })}`;
      return callApi(request('transferring', 'POST', path, null, 'refused'), dependencies);
    },
    /** Digits are 0-9, `*` and `#`. Asterisk has no pause in them. */
    sendDtmf: async (callId, digits) => {
      if (!callersInStasis) return 'unsupported';
      if (!/^[0-9*#]{1,64}$/.test(digits)) return 'failed';
      const path = `/${encodeURIComponent(callId)}/dtmf?${new URLSearchParams({ dtmf: digits })}`;
      return callApi(request('playing digits into', 'POST', path, null, 'refused'), dependencies);
    },
    ...(dial === undefined
      ? {}
      : {
          dial: async (call: DialRequest) => {
            const endpoint = endpointOf(call.to, dial.endpoint);
            if (endpoint === null) {
              return {
                ok: false,
                result: 'failed',
                detail: 'placing a call at Asterisk: wanted a number to call',
              };
            }
            const body = dialBody(call, endpoint, dial);
            return dialByApi(request(PLACING, 'POST', '', body, 'refused'), idIn, dependencies);
          },
        }),
  };
}

/** The ref becomes the channel's id, so that Asterisk itself refuses a second one. It has no ear for machines. */
function dialBody(
  { from, ref, ringSeconds, to }: DialRequest,
  endpoint: string,
  { context, extension }: NonNullable<AriSettings['dial']>,
): object {
  return {
    endpoint,
    extension,
    context,
    priority: 1,
    callerId: from,
    timeout: Math.max(1, Math.round(ringSeconds)),
    channelId: ref,
    variables: { [DIAL_VARIABLES.ref]: ref, [DIAL_VARIABLES.to]: to },
  };
}

/** Numbers go where the owner's pattern says; a SIP address needs none. Null for what could be read as anything else. */
function endpointOf(target: string, pattern: string | undefined): string | null {
  if (SIP_ADDRESS.test(target)) return `PJSIP/${target}`;
  return pattern !== undefined && NUMBER.test(target) ? pattern.replaceAll('{number}', target) : null;
}

function idIn(json: unknown): string | null {
  const id = (json as { id?: unknown } | null)?.id;
  return typeof id === 'string' ? id : null;
}

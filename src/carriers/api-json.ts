import { type ApiCall, type ApiDependencies, callApi } from './api-client.ts';
import type { ControlResult, DialResult } from './carrier.ts';

/** As much of a reply as is read: what carriers say of a new call has a few hundred bytes. */
export const MAX_JSON_BYTES = 64 * 1024;

export interface JsonReply {
  readonly result: ControlResult;
  /** The body of a success; null where there was none, where it was cut off, too long or no JSON. */
  readonly json: unknown;
  /** Of anything but a success: what was attempted and found at last, for people. Empty otherwise. */
  readonly detail: string;
}

/** `callApi` with its deadlines and its rules, for requests whose reply has to be read. Never rejects. */
export async function callApiForJson(call: ApiCall, dependencies: ApiDependencies): Promise<JsonReply> {
  let json: unknown = null;
  let detail = '';
  const result = await callApi(call, {
    ...dependencies,
    fetch: async (url, init) => {
      const response = await dependencies.fetch(url, init);
      if (!response.ok) return response;
      json = await jsonOf(response);
      return new Response(null, { status: response.status });
    },
    onProblem: (message) => {
      detail = message;
      dependencies.onProblem(message);
    },
  });
  return result === 'done' ? { result, json, detail: '' } : { result, json: null, detail };
}

/**
 * Places a call. `call.repeat` ought to be `refused`, so that a lost reply never rings twice. A call that was placed
 * without telling us its id is `failed`: nobody could end it, and its webhook names it soon enough.
 * @param idOf reads the carrier's id of the call from the reply. What is no text is no id; may throw
 */
export async function dialByApi(
  call: ApiCall,
  idOf: (json: unknown) => unknown,
  dependencies: ApiDependencies,
): Promise<DialResult> {
  const { result, json, detail } = await callApiForJson(call, dependencies);
  switch (result) {
    case 'done': {
      const callId = readId(json, idOf);
      if (callId !== null) return { ok: true, callId };
      return { ok: false, result: 'failed', detail: `${call.what}: found a reply without the call's id` };
    }
    case 'already-ended':
      return { ok: false, result: 'failed', detail: `${call.what}: found that it has already ended` };
    default:
      return { ok: false, result, detail };
  }
}

function readId(json: unknown, idOf: (json: unknown) => unknown): string | null {
  try {
    const id = idOf(json);
    return typeof id === 'string' && id !== '' ? id : null;
  } catch {
    return null;
  }
}

/** The carrier has done what was asked even where its reply cannot be read, so that is no reason to ask again. */
async function jsonOf(response: Response): Promise<unknown> {
  try {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      parts.push(part);
      size += part.length;
      // Leaving the loop cancels the rest.
      if (size > MAX_JSON_BYTES) return null;
    }
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    return null;
  }
}

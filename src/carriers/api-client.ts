import type { Clock } from '../clock.ts';
import type { ControlResult } from './carrier.ts';

/** What the outside world is to a carrier's API client; a test hands in its own. */
export interface ApiDependencies {
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Told of every attempt that failed: what was attempted and found, never a credential or a number. */
  readonly onProblem: (message: string) => void;
}

export interface Judgement {
  readonly result: ControlResult;
  /** In words for people. */
  readonly found: string;
}

export interface ApiCall {
  /** For people: "ending a call at Twilio". */
  readonly what: string;
  readonly url: string;
  /** Newest first; the next one is tried where one is refused, so that they can be rotated while calls are up. */
  readonly credentials: readonly string[];
  request(credential: string): Omit<RequestInit, 'signal' | 'redirect'>;
  judge(status: number, body: string): Judgement;
  /** `refused`: only where the carrier has certainly done nothing, for deeds that must not be done twice. */
  readonly repeat: 'any-trouble' | 'refused';
}

/** One attempt's limit, body included. With three attempts and their pauses a call is over after 13 s at most. */
export const ATTEMPT_DEADLINE_MS = 4000;
export const MAX_ATTEMPTS = 3;
const BASE_PAUSE_MS = 250;
const MAX_REPLY_BYTES = 64 * 1024;

/** The request never reached anybody: no address, or nobody listening there. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const TOO_MANY_REQUESTS = 429;

interface Attempt {
  readonly result: ControlResult;
  readonly status: number | null;
  readonly found: string;
}

/** Makes a request of a carrier, again where that is wise. Never rejects. */
export async function callApi(call: ApiCall, dependencies: ApiDependencies): Promise<ControlResult> {
  let credential = 0;
  for (let number = 1; ; number += 1) {
    const { result, status, found } = await attempt(call, call.credentials[credential] ?? '', dependencies);
    if (result === 'done' || result === 'already-ended') return result;
    dependencies.onProblem(`${call.what}, attempt ${number} of ${MAX_ATTEMPTS}: found ${found}`);
    if (number === MAX_ATTEMPTS) return result;
    if (status === 401 && credential + 1 < call.credentials.length) {
      credential += 1;
      continue;
    }
    const nothingDone = status === TOO_MANY_REQUESTS || (status === null && NEVER_SENT.has(found));
    if (result !== 'retryable' || (call.repeat === 'refused' && !nothingDone)) return result;
    await pause(number, dependencies);
  }
}

async function attempt(call: ApiCall, credential: string, { fetch }: ApiDependencies): Promise<Attempt> {
  try {
    const response = await fetch(call.url, {
      ...call.request(credential),
      // Nobody else gets the credentials.
      redirect: 'manual',
      signal: AbortSignal.timeout(ATTEMPT_DEADLINE_MS),
    });
    return { ...call.judge(response.status, await bodyOf(response)), status: response.status };
  } catch (caught) {
    return { result: 'retryable', status: null, found: troubleOf(caught) };
  }
}

/** Full jitter: calls that failed together do not come back together. */
function pause(attempts: number, { clock, random }: ApiDependencies): Promise<void> {
  const delayMs = random() * BASE_PAUSE_MS * 2 ** (attempts - 1);
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}

/** Only a refusal's body says anything: a success stays one even if the rest of it never arrives. */
async function bodyOf(response: Response): Promise<string> {
  if (response.ok) {
    await response.body?.cancel();
    return '';
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    // Leaving the loop cancels the rest.
    if (size > MAX_REPLY_BYTES) break;
  }
  return Buffer.concat(parts).toString('utf8');
}

/** A system error's code or an error's name. Not its message: one of fetch's messages repeats the address in full. */
function troubleOf(caught: unknown): string {
  const error = caught instanceof Error && caught.cause instanceof Error ? caught.cause : caught;
  if (!(error instanceof Error)) return 'an unknown trouble';
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : error.name;
}

/** What a status means by itself. `ended`: the carrier says that there is no such call, or none that goes on. */
export function judgeStatus(status: number, ended: boolean, found = `status ${status}`): Judgement {
  if (status >= 200 && status < 300) return { result: 'done', found };
  if (ended) return { result: 'already-ended', found };
  const mayPass = status === 408 || status === 429 || status >= 500;
  return { result: mayPass ? 'retryable' : 'failed', found };
}

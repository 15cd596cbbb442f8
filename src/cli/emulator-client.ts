/** Talks to the laboratory pages of an emulator in another process. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { parseWav } from '../audio/wav.ts';
import { messageOf, OffhookError } from '../errors.ts';

const DEADLINE_MS = 10_000;

const sessionList = z.array(z.looseObject({ number: z.number() }));
const sessionDetail = z.looseObject({
  sent: z.array(
    z.object({ atMs: z.number(), kind: z.string(), detail: z.union([z.string(), z.number(), z.null()]) }),
  ),
});
export type EmulatorEvent = z.infer<typeof sessionDetail>['sent'][number];

export class EmulatorClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Numbers of all sessions so far. */
  async sessionNumbers(): Promise<readonly number[]> {
    return sessionList.parse(await this.#json('/lab/sessions')).map(({ number }) => number);
  }

  /** What a session heard (16 kHz), and what it sent. */
  async session(number: number): Promise<{ audio: Int16Array; sent: readonly EmulatorEvent[] }> {
    const { sent } = sessionDetail.parse(await this.#json(`/lab/sessions/${number}`));
    const response = await this.#fetch(`/lab/sessions/${number}/audio.wav`);
    const wav = parseWav(new Uint8Array(await response.arrayBuffer()));
    return { audio: wav.channels[0]!, sent };
  }

  async setNextScenario(path: string): Promise<void> {
    await this.#fetch('/lab/next-scenario', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ path: resolve(path) }),
    });
  }

  async #json(path: string): Promise<unknown> {
    return (await this.#fetch(path)).json();
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#url), { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
    } catch (caught) {
      throw new OffhookError(
        'ERR_USAGE',
        `Cannot reach the emulator at "${this.#url}": "${messageOf(caught)}"; an "offhook emulator" is wanted there.`,
        { cause: caught },
      );
    }
    if (response.ok) return response;
    throw new OffhookError(
      'ERR_USAGE',
      `Cannot use the emulator at "${this.#url}": ${path} answered "${response.status}"; 200 is wanted.`,
    );
  }
}

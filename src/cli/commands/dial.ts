import { z } from 'zod';
import { messageOf, OffhookError } from '../../errors.ts';
import type { CliIo } from '../io.ts';

interface DialOptions {
  readonly carrier: string;
  readonly from: string;
  readonly to: string;
  readonly bot?: string;
  readonly url?: string;
  readonly token?: string;
  readonly json?: boolean;
}

const placed = z.object({ ref: z.string(), callId: z.string() });
const refused = z.object({ error: z.string(), detail: z.string().optional(), result: z.string().optional() });

/** As long as a carrier's API may take, with its repetitions, and a little more. */
const DEADLINE_MS = 20_000;

/** Has the gateway place a call. @returns 1 when it did not */
export async function dial(options: DialOptions, io: CliIo): Promise<number> {
  const url = addressOf(options, io);
  const token = options.token ?? (io.env['ADMIN_TOKEN'] || null);
  const { status, body } = await ask(url, token, {
    carrier: options.carrier,
    from: options.from,
    to: options.to,
    bot: options.bot ?? null,
  });
  const answer = placed.safeParse(body);
  if (status === 201 && answer.success) {
    const { ref, callId } = answer.data;
    io.out(
      options.json === true
        ? JSON.stringify({ ref, callId })
        : `ringing: ${ref} (${options.carrier} calls it ${callId})`,
    );
    return 0;
  }
  const problem = refused.safeParse(body);
  if (options.json === true && problem.success) {
    io.out(JSON.stringify({ status, ...problem.data }));
    return 1;
  }
  io.err(`offhook: Cannot place the call: ${reasonOf(status, problem.success ? problem.data : null)}`);
  return 1;
}

function reasonOf(status: number, problem: z.infer<typeof refused> | null): string {
  if (status === 401)
    return 'the gateway wants its admin token: --token, or ADMIN_TOKEN (DATA_DIR/admin-token has one made with "auto").';
  if (problem === null)
    return `found status ${status} and nothing that an admin listener says; its address is wanted as --url.`;
  const { error, detail, result } = problem;
  if (error === 'carrier') return `the carrier's API says "${result}": ${detail}`;
  return detail ?? `the gateway says "${error}".`;
}

/** @throws OffhookError ERR_USAGE */
function addressOf({ url }: DialOptions, io: CliIo): URL {
  const given = url ?? `http://127.0.0.1:${io.env['ADMIN_PORT'] || '8081'}`;
  if (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol)) return new URL('/api/calls', given);
  throw new OffhookError('ERR_USAGE', `Cannot use "${given}" as an address: an http or https URL is wanted.`);
}

/** @throws OffhookError ERR_USAGE when nobody answers there */
async function ask(
  url: URL,
  token: string | null,
  order: object,
): Promise<{ readonly status: number; readonly body: unknown }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(order),
      // The token is for this address alone.
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const body: unknown = await response.json().catch(() => null);
    return { status: response.status, body };
  } catch (caught) {
    if (caught instanceof Error && caught.name === 'TimeoutError') {
      throw new OffhookError(
        'ERR_CARRIER_API',
        `Cannot say whether the call was placed: "${url.origin}" gave no answer within "${DEADLINE_MS / 1000}" s; it may ring all the same.`,
        { cause: caught },
      );
    }
    const error = caught instanceof Error && caught.cause instanceof Error ? caught.cause : caught;
    throw new OffhookError(
      'ERR_USAGE',
      `Cannot reach the gateway's admin listener at "${url.origin}": ${messageOf(error)}; a gateway that runs is wanted ("offhook serve").`,
      { cause: caught },
    );
  }
}

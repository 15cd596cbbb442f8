/** `POST /api/calls`: places a call. What the desk found goes back to whoever asked, and nowhere else. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { CallDesk, DialOutcome } from '../call/desk.ts';

const text = z.string().min(1).max(128);
const askSchema = z.strictObject({ carrier: text, from: text, to: text, bot: text.nullable().default(null) });

const STATUS: Readonly<Record<Extract<DialOutcome, { ok: false }>['why'], number>> = {
  invalid: 400,
  'not-allowed': 403,
  'too-many': 429,
  draining: 503,
  full: 503,
  carrier: 502,
};

export function addDialRoute(app: FastifyInstance, desk: CallDesk): void {
  app.post('/api/calls', async (request, reply) => {
    const ask = askSchema.safeParse(request.body);
    if (!ask.success) {
      const found = ask.error.issues.map(
        (issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`,
      );
      const wanted = 'wanted JSON with "carrier", "from", "to" and, if you like, "bot"';
      return reply.code(400).send({ error: 'invalid', detail: `${found.join('; ')}: ${wanted}.` });
    }
    const outcome = await desk.dial(ask.data);
    if (outcome.ok) return reply.code(201).send({ ref: outcome.ref, callId: outcome.callId });
    const { why, detail } = outcome;
    const result = outcome.why === 'carrier' ? { result: outcome.result } : {};
    return reply.code(STATUS[why]).send({ error: why, ...result, detail });
  });
}

import type { FastifyRequest } from 'fastify';
import type { RawRequest } from '../carriers/carrier.ts';

const NO_BODY = Buffer.alloc(0);

/**
 * The request as it came, for signatures: path and query untouched. Which host it was sent to is left out on purpose;
 * adapters put PUBLIC_URL in front.
 */
export function rawRequestOf(request: FastifyRequest): RawRequest {
  const { method = 'GET', url = '/', headers } = request.raw;
  return { method, target: url, headers, body: Buffer.isBuffer(request.body) ? request.body : NO_BODY };
}

/**
 * A body reaches the signature check as bytes, whatever its sender calls it: Fastify's choice of a parser by
 * Content-Type has been fooled by odd spellings more than once (CVE-2026-25223, CVE-2026-3419, CVE-2026-33806), so it
 * gets none to choose by. The adapters read bodies by what the carrier documents, never by the header.
 */
export function hideContentType(request: FastifyRequest): void {
  delete request.raw.headers['content-type'];
}

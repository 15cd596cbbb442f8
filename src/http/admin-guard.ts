import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackHost } from '../config.ts';

export interface AdminAccess {
  /** Null where none is asked for. */
  readonly token: string | null;
  /** Host names, lower case and without port, besides the loopback ones. */
  readonly hosts: readonly string[];
}

export type AdminVerdict = 'ok' | 'wrong-host' | 'foreign-origin' | 'no-token';

/**
 * Who may talk to the admin listener. Host first: a page that a browser got from elsewhere reaches a loopback port by
 * having its own name resolve to it (DNS rebinding), but it cannot choose the header. Origin next, against pages of
 * other sites. The token is never taken from an address, because addresses end up in logs and histories.
 */
export function judgeAdminRequest(
  headers: IncomingHttpHeaders,
  access: AdminAccess,
  needsToken: boolean,
): AdminVerdict {
  const host = headers.host?.toLowerCase() ?? '';
  const name = hostName(host);
  if (name === null || !(isLoopbackHost(name) || access.hosts.includes(name))) return 'wrong-host';
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return 'foreign-origin';
  }
  if (headers['sec-fetch-site'] === 'cross-site') return 'foreign-origin';
  if (!needsToken || access.token === null) return 'ok';
  const given = /^Bearer ([!-~]{1,512})$/.exec(headers.authorization ?? '')?.[1];
  return given !== undefined && sameText(given, access.token) ? 'ok' : 'no-token';
}

/** Without the port; null when it is none. */
function hostName(host: string): string | null {
  const parts = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(host);
  return parts?.[1] ?? null;
}

/** Digests have equal lengths, so the time taken says nothing about either text. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

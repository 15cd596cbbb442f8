import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { queryOf } from './signature.ts';

/**
 * The addresses of ours that Vonage is handed carry what it would not give back otherwise: which caller a stream or a
 * transfer belongs to (events of the other leg name only their own), and which call of ours a placed one is. Vonage does
 * not sign addresses, so we sign these ourselves. Stateless: any machine with the secrets reads them.
 */
export type LinkKind = 'stream' | 'transfer' | 'dial';
export interface Link {
  readonly kind: LinkKind;
  /** The caller's leg, or the ref of a DialRequest. */
  readonly id: string;
}

const ID = /^[A-Za-z0-9_-]{1,128}$/;
const MAC = /^[0-9a-f]{40}$/;
const MAC_BYTES = 20;

export interface Links {
  readonly events: string;
  /** Where Vonage asks what comes next, of a stream or of a transfer. */
  after(kind: 'stream' | 'transfer', callId: string): string;
  /** Where Vonage asks for the answer of a call that we placed. */
  answer(dialRef: string): string;
  /** The stream's address of a path. */
  stream(path: string): string;
  /** Null: the address has no such part. Undefined: it has one that is not ours. */
  read(target: string): Link | null | undefined;
}

/** @param secrets newest first; the first one signs, all of them verify */
export function createLinks(publicUrl: string, secrets: readonly string[]): Links {
  const { origin } = new URL(publicUrl);
  const keys = secrets.filter((secret) => secret !== '').map(keyOf);
  const [newest] = keys;

  function query(kind: LinkKind, id: string): string {
    const mac = newest === undefined ? '' : macOf(newest, kind, id).toString('hex');
    return `${kind}=${encodeURIComponent(id)}&mac=${mac}`;
  }

  return {
    events: `${origin}/vonage/events`,
    after: (kind, callId) => `${origin}/vonage/after?${query(kind, callId)}`,
    answer: (dialRef) => `${origin}/vonage/voice?${query('dial', dialRef)}`,
    stream: (path) => origin.replace(/^http/, 'ws') + path,
    read: (target) => {
      const fields = queryOf(target);
      const found = (['stream', 'transfer', 'dial'] as const).filter((kind) => fields.has(kind));
      const [kind] = found;
      if (kind === undefined) return fields.has('mac') ? undefined : null;
      const ids = fields.getAll(kind);
      const macs = fields.getAll('mac');
      const [id = ''] = ids;
      const [mac = ''] = macs;
      if (found.length > 1 || ids.length > 1 || macs.length > 1 || !ID.test(id) || !MAC.test(mac))
        return undefined;
      const given = Buffer.from(mac, 'hex');
      let matches = false;
      for (const key of keys) if (timingSafeEqual(given, macOf(key, kind, id))) matches = true;
      return matches ? { kind, id } : undefined;
    },
  };
}

/** A key of its own, so that what stands in addresses says nothing about signatures made with the secret itself. */
function keyOf(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'offhook vonage link 1', 32));
}

function macOf(key: Buffer, kind: LinkKind, id: string): Buffer {
  return createHmac('sha256', key).update(`${kind}.${id}`).digest().subarray(0, MAC_BYTES);
}

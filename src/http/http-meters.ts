import type { CarrierId, RefusalReason } from '../carriers/carrier.ts';

/** What the web server counts. Every argument is of a closed set, because each becomes a label. */
export interface HttpMeters {
  authFailed(carrier: CarrierId | 'admin', at: 'webhook' | 'handshake' | 'token' | 'origin' | 'admin'): void;
  /** A carrier repeated a webhook and got the earlier answer. */
  replayed(carrier: CarrierId): void;
  callRefused(carrier: CarrierId, reason: RefusalReason): void;
  limitHit(kind: LimitKind): void;
  /** Something of ours threw: a bug, contained. */
  handlerFailed(where: 'webhook' | 'upgrade' | 'stream' | 'admin'): void;
}

export type LimitKind =
  | 'pending-streams'
  | 'streams-per-address'
  | 'message-rate'
  | 'message-size'
  | 'body-size';

export const noHttpMeters: HttpMeters = {
  authFailed: () => {},
  replayed: () => {},
  callRefused: () => {},
  limitHit: () => {},
  handlerFailed: () => {},
};

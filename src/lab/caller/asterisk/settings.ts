/** How the simulated PBX and its dialplan are set up. Source: Asterisk, `chan_websocket` and `websocket_client.conf`. */
import type { LineFormat } from '../line-format.ts';
import { lineFormat } from '../line-format.ts';

/** Codec names of the dial string: `c(ulaw)`. */
export const ASTERISK_CODECS = ['ulaw', 'alaw', 'slin', 'slin16', 'slin24'] as const;
export type AsteriskCodec = (typeof ASTERISK_CODECS)[number];

export interface AsteriskAccount {
  readonly username: string;
  readonly password: string;
  /** Default ulaw. */
  readonly codec?: AsteriskCodec;
  /** What `f()` says. Default json. */
  readonly control?: 'json' | 'plain-text';
  /** Of the phone's packets: a message is one packet, whatever MEDIA_START says. Default 20. */
  readonly packetMs?: 10 | 20 | 40 | 60;
  /** What the dialplan passes with `v()`, besides from, to and call. */
  readonly query?: Readonly<Record<string, string>>;
}

export function codecFormat(codec: AsteriskCodec): LineFormat {
  switch (codec) {
    case 'ulaw':
      return lineFormat('pcmu', 8000);
    case 'alaw':
      return lineFormat('pcma', 8000);
    case 'slin':
      return lineFormat('l16', 8000);
    case 'slin16':
      return lineFormat('l16', 16000);
    case 'slin24':
      return lineFormat('l16', 24000);
  }
}

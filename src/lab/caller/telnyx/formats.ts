/** What a gateway asks for in a stream, as fields of the API or attributes of TeXML, and what it gets. */
import { type LineEncoding, type LineFormat, lineFormat, type SampleRate } from '../line-format.ts';

/** Names as in the API. In TeXML `codec` is `stream_codec`, and so on. */
export interface StreamWishes {
  readonly codec: string;
  readonly mode: string;
  readonly bidirectionalCodec: string;
  readonly bidirectionalRate: string;
}

export interface TelnyxLeg {
  /** Of the caller's phone. Default PCMU. */
  readonly legCodec?: 'PCMU' | 'PCMA';
  /** False: the gateway gets the leg's codec, whatever it asks for. */
  readonly transcodes?: boolean;
  /** Of L16, which the documents leave open. Default little. */
  readonly l16Order?: 'little' | 'big';
}

export interface AgreedFormats {
  /** To the gateway, and its name in `start`. */
  readonly sent: LineFormat;
  readonly sentName: string;
  readonly heard: LineFormat;
  /** False: what the gateway sends is taken for MP3. */
  readonly isRaw: boolean;
}

/** Null where Telnyx has no such codec or rate, or the simulation has not. */
export function agreeFormats(wishes: StreamWishes, leg: TelnyxLeg): AgreedFormats | null {
  const { legCodec = 'PCMU', transcodes = true, l16Order = 'little' } = leg;
  const rate = Number(wishes.bidirectionalRate || '8000');
  if (rate !== 8000 && rate !== 16000 && rate !== 24000) return null;
  const asked = wishes.codec === '' || wishes.codec === 'default' ? legCodec : wishes.codec;
  const sentName = transcodes ? asked : legCodec;
  const sent = formatOf(sentName, rate, l16Order);
  const heard = formatOf(wishes.bidirectionalCodec || 'PCMU', rate, l16Order);
  if (sent === null || heard === null) return null;
  return { sent, sentName, heard, isRaw: wishes.mode === 'rtp' };
}

function formatOf(codec: string, rate: SampleRate, order: 'little' | 'big'): LineFormat | null {
  const encodings: Readonly<Record<string, LineEncoding>> = {
    PCMU: 'pcmu',
    PCMA: 'pcma',
    L16: order === 'little' ? 'l16' : 'l16-be',
  };
  const encoding = Object.hasOwn(encodings, codec) ? encodings[codec] : undefined;
  if (encoding === undefined) return null;
  return lineFormat(encoding, codec === 'L16' ? rate : 8000);
}

/**
 * Text on its way into a prompt: one line, without control characters, bounded; and what somebody said or a tool returned
 * as a quotation that cannot be left from within. Lengths are UTF-16 units; no character is halved.
 */

/** Controls, format characters and halves of pairs. U+200C and U+200D stay: Persian, Hindi and others are spelt with them. */
const UNPRINTABLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;
const QUOTES = /["\u201c-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f\u301d-\u301f\uff02]/g;
/** A word longer than this is none: the language is written without spaces, or nobody means it. */
const LONGEST_WORD = 40;
const CUT = '…';

/** One line without anything that cannot be seen. */
export function oneLine(text: string): string {
  return text.replace(UNPRINTABLE, ' ').replace(/\s+/g, ' ').trim();
}

/** The beginning of a text, with a mark where it was cut; at most `most` long. */
export function headOf(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${whole(text.slice(0, Math.max(0, most - CUT.length)))}${CUT}`;
}

/** The end of a text, with a mark where it was cut; at most `most` long. */
export function tailOf(text: string, most: number): string {
  if (text.length <= most) return text;
  const kept = text.slice(text.length - Math.max(0, most - CUT.length));
  return `${CUT}${isLowHalf(kept) ? kept.slice(1) : kept}`;
}

/** Somebody's words in quotation marks. Quotation marks within become apostrophes, so that the quotation ends where we end it. */
export function quoted(text: string): string {
  return `"${oneLine(text).replace(QUOTES, "'")}"`;
}

/**
 * For a text that stands among notes of ours in square brackets: it has none of its own, so that nobody's words can pass
 * for a note.
 */
export function withoutBrackets(text: string): string {
  return text.replace(/[[\uff3b\u27e6]/g, '(').replace(/[\]\uff3d\u27e7]/g, ')');
}

/** The whole words among the first `length` characters; of a script without spaces, the characters. */
export function firstWords(text: string, length: number): string {
  const cut = Math.max(0, Math.floor(length));
  if (cut >= text.length) return text;
  const space = text.lastIndexOf(' ', cut);
  if (space >= 0 && cut - space <= LONGEST_WORD) return text.slice(0, space);
  return cut <= LONGEST_WORD && text.lastIndexOf(' ', LONGEST_WORD) >= 0 ? '' : whole(text.slice(0, cut));
}

/** Never throws, whatever the value holds: what JSON cannot say becomes null. */
export function jsonOf(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    return null;
  }
}

function whole(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}

function isLowHalf(text: string): boolean {
  const first = text.charCodeAt(0);
  return first >= 0xdc00 && first <= 0xdfff;
}

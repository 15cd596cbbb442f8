import type { HttpReply } from './carrier.ts';

/**
 * Writes the small XML documents that carriers are answered with. Text and attribute values are always escaped: there
 * is no way to put markup into a document other than by building an element.
 */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

/** `name` and the attribute names are written as they are: literals of ours, never outside text. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  ...children: (XmlElement | string)[]
): XmlElement {
  return { name, attributes, children };
}

/** The document in one line, with the declaration that carriers expect in front. */
export function renderXml(root: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${render(root)}`;
}

function render(node: XmlElement | string): string {
  if (typeof node === 'string') return escapeXml(node);
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
    .join('');
  if (node.children.length === 0) return `<${node.name}${attributes}/>`;
  return `<${node.name}${attributes}>${node.children.map(render).join('')}</${node.name}>`;
}

/**
 * What XML 1.0 (section 2.2, Char) does not allow even as a character reference. One such character, in a caller's SIP
 * display name for instance, makes the whole document unreadable to the carrier, so it is dropped.
 */
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Whitespace is referenced by number, since parsers turn a literal line feed in an attribute into a space. */
const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

function escapeXml(text: string): string {
  return text
    .replace(FORBIDDEN, '')
    .replace(/[&<>"'\t\n\r]/g, (character) => REFERENCES[character] as string);
}

/** An answer document. */
export function xmlReply(body: string): HttpReply {
  return { status: 200, contentType: 'text/xml; charset=utf-8', body };
}

/** Reads the XML of answer documents: elements, attributes and text, nothing beyond. */

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Of the element itself, not of its children. */
  readonly text: string;
}

interface OpenElement extends XmlElement {
  readonly children: OpenElement[];
  text: string;
}

const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|[^<]+/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** A well-formed document's root, or null: anything between tokens, or a tag left open, makes it malformed. Never throws. */
export function parseXml(document: string): XmlElement | null {
  const open: OpenElement[] = [{ name: '', attributes: {}, children: [], text: '' }];
  let at = 0;
  for (const match of document.matchAll(TOKEN)) {
    if (match.index !== at) return null;
    at += match[0].length;
    const [whole, closing, name, attributes, selfClosing] = match;
    const parent = open.at(-1)!;
    if (name === undefined) {
      if (!whole.startsWith('<')) parent.text += unescapeXml(whole);
    } else if (closing === '/') {
      if (open.length < 2 || parent.name !== name) return null;
      open.pop();
    } else {
      const element = { name, attributes: readAttributes(attributes ?? ''), children: [], text: '' };
      parent.children.push(element);
      if (selfClosing !== '/') open.push(element);
    }
  }
  const top = open[0]!;
  return at === document.length && open.length === 1 && top.children.length === 1 ? top.children[0]! : null;
}

/** What stands in a `Response`, as all of these dialects have it; null when the document is something else. */
export function responseOf(document: string): readonly XmlElement[] | null {
  const root = parseXml(document);
  return root?.name === 'Response' ? root.children : null;
}

export const childOf = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find((child) => child.name === name);

/** `<Parameter name="…" value="…"/>` below a stream. */
export function parametersOf(stream: XmlElement): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const child of stream.children) {
    const name = child.attributes['name'];
    if (child.name === 'Parameter' && name !== undefined) parameters[name] = child.attributes['value'] ?? '';
  }
  return parameters;
}

function readAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, double, single] of text.matchAll(ATTRIBUTE)) {
    attributes[name!] = unescapeXml(double ?? single ?? '');
  }
  return attributes;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/g,
    (whole, hex, decimal, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

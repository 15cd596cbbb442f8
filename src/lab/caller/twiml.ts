/** Reads the few TwiML verbs that a simulated call obeys. Nothing of XML beyond elements, attributes and text. */

export type TwimlVerb =
  | {
      readonly verb: 'connect';
      readonly streamUrl: string;
      readonly statusCallback: string | null;
      readonly parameters: Readonly<Record<string, string>>;
      readonly action: string | null;
    }
  | { readonly verb: 'say'; readonly text: string }
  | { readonly verb: 'dial'; readonly to: string }
  | { readonly verb: 'redirect'; readonly url: string }
  | { readonly verb: 'hangup' | 'reject' | 'pause' }
  | { readonly verb: 'unknown'; readonly name: string };

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|[^<]+/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** The verbs of a document in their order; null when it is not TwiML. Never throws. */
export function parseTwiml(document: string): readonly TwimlVerb[] | null {
  const root = parseXml(document);
  if (root?.name !== 'Response') return null;
  return root.children.map(readVerb);
}

function readVerb(element: Element): TwimlVerb {
  switch (element.name) {
    case 'Connect':
      return readConnect(element);
    case 'Say':
      return { verb: 'say', text: element.text.trim() };
    case 'Dial':
      return { verb: 'dial', to: (element.children[0]?.text ?? element.text).trim() };
    case 'Redirect':
      return { verb: 'redirect', url: element.text.trim() };
    case 'Hangup':
      return { verb: 'hangup' };
    case 'Reject':
      return { verb: 'reject' };
    case 'Pause':
      return { verb: 'pause' };
    default:
      return { verb: 'unknown', name: element.name };
  }
}

function readConnect(element: Element): TwimlVerb {
  const stream = element.children.find((child) => child.name === 'Stream');
  const streamUrl = stream?.attributes['url'];
  if (stream === undefined || streamUrl === undefined) return { verb: 'unknown', name: 'Connect' };
  const parameters: Record<string, string> = {};
  for (const child of stream.children) {
    const name = child.attributes['name'];
    if (child.name === 'Parameter' && name !== undefined) parameters[name] = child.attributes['value'] ?? '';
  }
  return {
    verb: 'connect',
    streamUrl,
    statusCallback: stream.attributes['statusCallback'] ?? null,
    parameters,
    action: element.attributes['action'] ?? null,
  };
}

/** A well-formed document's root, or null. Anything between tokens, or a tag left open, makes it malformed. */
function parseXml(document: string): Element | null {
  const open: Element[] = [{ name: '', attributes: {}, children: [], text: '' }];
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
      const element: Element = { name, attributes: readAttributes(attributes ?? ''), children: [], text: '' };
      parent.children.push(element);
      if (selfClosing !== '/') open.push(element);
    }
  }
  const top = open[0]!;
  return at === document.length && open.length === 1 && top.children.length === 1 ? top.children[0]! : null;
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

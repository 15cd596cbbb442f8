/** Reads the few TwiML verbs that a simulated call obeys. */
import { childOf, parametersOf, responseOf, type XmlElement } from '../xml.ts';

export type TwimlVerb =
  | {
      readonly verb: 'connect';
      readonly streamUrl: string;
      readonly statusCallback: string | null;
      readonly parameters: Readonly<Record<string, string>>;
      readonly action: string | null;
    }
  | { readonly verb: 'say'; readonly text: string }
  | { readonly verb: 'dial'; readonly to: string; readonly action: string | null }
  | { readonly verb: 'redirect'; readonly url: string }
  | { readonly verb: 'play'; readonly digits: string }
  | { readonly verb: 'hangup' | 'reject' | 'pause' }
  | { readonly verb: 'unknown'; readonly name: string };

/** The verbs of a document in their order; null when it is not TwiML. Never throws. */
export function parseTwiml(document: string): readonly TwimlVerb[] | null {
  return responseOf(document)?.map(readVerb) ?? null;
}

function readVerb(element: XmlElement): TwimlVerb {
  const { attributes } = element;
  switch (element.name) {
    case 'Connect':
      return readConnect(element);
    case 'Say':
      return { verb: 'say', text: element.text.trim() };
    case 'Dial':
      return {
        verb: 'dial',
        to: (element.children[0]?.text ?? element.text).trim(),
        action: attributes['action'] ?? null,
      };
    case 'Play':
      return { verb: 'play', digits: attributes['digits'] ?? '' };
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

function readConnect(element: XmlElement): TwimlVerb {
  const stream = childOf(element, 'Stream');
  const streamUrl = stream?.attributes['url'];
  if (stream === undefined || streamUrl === undefined) return { verb: 'unknown', name: 'Connect' };
  return {
    verb: 'connect',
    streamUrl,
    statusCallback: stream.attributes['statusCallback'] ?? null,
    parameters: parametersOf(stream),
    action: element.attributes['action'] ?? null,
  };
}

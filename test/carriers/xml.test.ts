import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { element, renderXml } from '../../src/carriers/xml.ts';

/** What a parser reads back, for the references that XML 1.0 knows without a DTD. */
function unescapeXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#([0-9]+)|([a-z]+));/g, (_, number: string | undefined, name: string) =>
    number === undefined ? (named[name] ?? `?${name}?`) : String.fromCodePoint(Number(number)),
  );
}

/** The Char production of XML 1.0, written out by code point. */
function isXmlCharacter(codePoint: number): boolean {
  if (codePoint === 9 || codePoint === 10 || codePoint === 13) return true;
  if (codePoint < 0x20 || codePoint === 0xfffe || codePoint === 0xffff) return false;
  return codePoint < 0xd800 || codePoint > 0xdfff;
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', size: 'max', maxLength: 200 }),
  fc.string({
    unit: fc.constantFrom('<', '>', '&', '"', "'", '\n', '\t', '\u0000', '\ud800', '\uffff', 'a', ']]>'),
  }),
);

describe('writing XML', () => {
  test('a document is one line with the declaration in front', () => {
    const document = element('Response', {}, element('Say', { language: 'en' }, 'Hi'), element('Hangup', {}));
    expect(renderXml(document)).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Response><Say language="en">Hi</Say><Hangup/></Response>',
    );
  });

  test('any text comes back as it was, less what XML forbids, from element and attribute', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const wanted = [...text]
          .filter((character) => isXmlCharacter(character.codePointAt(0) ?? 0))
          .join('');
        const [, attribute, content] =
          /^<\?xml[^>]*\?><a b="([^"]*)">([\s\S]*)<\/a>$/.exec(renderXml(element('a', { b: text }, text))) ??
          [];
        expect(unescapeXml(attribute ?? 'none')).toBe(wanted);
        expect(unescapeXml(content ?? 'none')).toBe(wanted);
        expect(`${attribute}${content}`).not.toMatch(/[<>"'\n\r\t]/);
        expect(`${attribute}${content}`).not.toMatch(/&(?!(?:amp|lt|gt|quot|apos|#9|#10|#13);)/);
      }),
      { numRuns: 500 },
    );
  });
});

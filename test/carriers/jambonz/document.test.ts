import { expect, test } from 'vitest';
import type { RefusalReason } from '../../../src/carriers/carrier.ts';
import { refusalVerbs } from '../../../src/carriers/jambonz/verbs.ts';
import { readDocument, section, tableRows } from '../../docs/markdown.ts';

test('the sentences in the document are those that a refused caller hears', () => {
  const rows = tableRows(section(readDocument('docs/carriers/jambonz.md'), 'refusals'));
  expect(rows).toHaveLength(4);
  for (const [reason = '', sentence = ''] of rows) {
    const plain = reason.replaceAll('`', '');
    expect(JSON.stringify(refusalVerbs(plain as RefusalReason))).toContain(`"text":"${sentence}"`);
  }
});

/** Reads the documents as a person would: sections between markers, tables by row and column, fenced blocks. */
import { readFileSync } from 'node:fs';

export const readDocument = (path: string): string => readFileSync(path, 'utf8');

/** What stands between `<!-- name -->` and `<!-- /name -->`. */
export function section(document: string, name: string): string {
  const [, inside] = new RegExp(`<!-- ${name} -->\\n([\\s\\S]*?)<!-- /${name} -->`).exec(document) ?? [];
  if (inside === undefined) throw new Error(`no section "${name}"`);
  return inside;
}

/** All rows of all tables in a text, without heads; cells trimmed. */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const isHead = /^\|[-|]+\|$/.test(lines[index + 1] ?? '');
    if (!line.startsWith('|') || isHead || /^\|[-|]+\|$/.test(line)) return [];
    return [
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    ];
  });
}

/** The column heads of the first table. */
export function tableHead(text: string): string[] {
  const lines = text.split('\n');
  const head = lines[lines.findIndex((line) => /^\|[-|]+\|$/.test(line)) - 1] ?? '';
  return head
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}

/** What is written as code in a cell. */
export const codes = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);

/** Fenced blocks of a language, indented ones too. */
export const fenced = (document: string, language: string): string[] =>
  [...document.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, 'gm'))].map(
    ([, indent = '', block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );

/** As GitHub makes them of headings, for links within a document. */
export const anchors = (document: string): string[] =>
  [...document.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );

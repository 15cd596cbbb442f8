/** The table for a terminal. */
import type { RowGroup } from './rows.ts';

/** @param colour whether the terminal takes escape sequences */
export function textTable(groups: readonly RowGroup[], colour: boolean): string {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const rows = groups.flatMap((group) => group.rows);
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const valueWidth = Math.max(...rows.map((row) => row.value.length));
  const lines = groups.flatMap((group) => [
    paint(1, group.title),
    ...group.rows.map((row) => {
      const value = row.value.padStart(valueWidth);
      const shown = row.good === false ? paint(31, value) : row.good === true ? paint(32, value) : value;
      return `  ${row.name.padEnd(nameWidth)}  ${shown}  ${paint(2, row.note)}`.trimEnd();
    }),
  ]);
  return lines.join('\n');
}

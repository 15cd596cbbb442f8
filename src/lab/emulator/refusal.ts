/** How the server turns something down: the close that the client sees, and for us what was wrong with which key. */
import type { z } from 'zod';
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import { CLOSE_ROWS, type CloseName } from './faults/close-rows.ts';

export interface Refusal {
  readonly code: number;
  /** The close reason, in Google's words. */
  readonly reason: string;
  /** For people: what was found and what was wanted, with the path of the key. Never sent. */
  readonly detail: string;
}

export const INVALID_ARGUMENT = CLOSE_ROWS['invalid-argument'].reason;

/** A refusal in the words of one of the known closes. */
export const refusalAs = (name: CloseName, detail: string): Refusal => ({ ...CLOSE_ROWS[name], detail });

export const invalid = (detail: string, reason: string = INVALID_ARGUMENT): Refusal => ({
  code: 1007,
  reason,
  detail,
});

/** The first problem of a message that does not fit its schema. `where` is the field of the envelope. */
export function refusalOfIssues(
  issues: readonly z.core.$ZodIssue[],
  where: string,
  behaviours: Pick<BehaviourValues, 'unknownFieldText'>,
): Refusal {
  const issue = issues[0];
  if (issue === undefined) return invalid(`${where}: nothing to read`);
  const path = [where, ...issue.path.map(String)].join('.');
  if (issue.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const reason =
      behaviours.unknownFieldText === 'unknown-name'
        ? `Invalid JSON payload received. Unknown name "${name}" at '${path}': Cannot find field.`
        : INVALID_ARGUMENT;
    return invalid(`${path}: unknown field "${name}"`, reason);
  }
  return invalid(`${path}: ${issue.message}`);
}

/** The table of uncertain facts (behaviour-rows.ts) as typed values: what the gateway assumes and the emulator plays. */
import { OffhookError } from '../errors.ts';
import { BEHAVIOUR_ROWS, type BehaviourValue } from './behaviour-rows.ts';
import { FAMILY_IDS, type FamilyId } from './families.ts';

export { BEHAVIOUR_ROWS, type BehaviourRow, type BehaviourValue, type Confidence } from './behaviour-rows.ts';

type Rows = typeof BEHAVIOUR_ROWS;
export type BehaviourId = keyof Rows;
/** One answer to every question. */
export type BehaviourValues = { readonly [K in BehaviourId]: Rows[K]['values'][number] };

export const BEHAVIOUR_IDS = Object.keys(BEHAVIOUR_ROWS) as readonly BehaviourId[];

/** The likeliest answers for a family, with `overrides` on top (a probe's findings, a laboratory's choice). */
export function behavioursFor(family: FamilyId, overrides: Partial<BehaviourValues> = {}): BehaviourValues {
  const values: Partial<Record<BehaviourId, BehaviourValue>> = {};
  for (const id of BEHAVIOUR_IDS) {
    const row = BEHAVIOUR_ROWS[id];
    values[id] = row.byFamily[family] ?? row.usual;
  }
  return { ...values, ...overrides } as BehaviourValues;
}

export interface BehaviourCase {
  readonly family: FamilyId;
  readonly id: BehaviourId;
  readonly value: BehaviourValue;
  /** The family's likeliest answers with this one changed. */
  readonly behaviours: BehaviourValues;
}

/** Every value of every row in every family, each alone on top of the family's likeliest answers. */
export function* everyValue(families: readonly FamilyId[] = FAMILY_IDS): Generator<BehaviourCase> {
  for (const family of families) {
    for (const id of BEHAVIOUR_IDS) {
      for (const value of BEHAVIOUR_ROWS[id].values) {
        yield { family, id, value, behaviours: behavioursFor(family, { [id]: value }) };
      }
    }
  }
}

/**
 * Reads `name=value` pairs as people write them (a scenario, an option of a command).
 * @throws OffhookError `ERR_SCENARIO` for a name or a value that the table does not have.
 */
export function parseBehaviours(pairs: Readonly<Record<string, unknown>>): Partial<BehaviourValues> {
  const values: Partial<Record<BehaviourId, BehaviourValue>> = {};
  for (const [name, given] of Object.entries(pairs)) {
    if (!Object.hasOwn(BEHAVIOUR_ROWS, name)) {
      throw new OffhookError(
        'ERR_SCENARIO',
        `Reading a behaviour: found the name "${name}", wanted one of ${BEHAVIOUR_IDS.join(', ')}`,
      );
    }
    const id = name as BehaviourId;
    const allowed: readonly BehaviourValue[] = BEHAVIOUR_ROWS[id].values;
    const value = allowed.find((candidate) => String(candidate) === String(given));
    if (value === undefined) {
      throw new OffhookError(
        'ERR_SCENARIO',
        `Reading the behaviour ${id}: found "${String(given)}", wanted one of ${allowed.join(', ')}`,
      );
    }
    values[id] = value;
  }
  return values as Partial<BehaviourValues>;
}

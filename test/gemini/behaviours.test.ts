import { describe, expect, test } from 'vitest';
import {
  BEHAVIOUR_IDS,
  BEHAVIOUR_ROWS,
  type BehaviourId,
  behavioursFor,
  everyValue,
  parseBehaviours,
} from '../../src/gemini/behaviours.ts';
import { FAMILIES, FAMILY_IDS } from '../../src/gemini/families.ts';

describe('the table of behaviours', () => {
  test.each(BEHAVIOUR_IDS)(
    '%s: a question with at least two answers, and every default is one of them',
    (id) => {
      const row = BEHAVIOUR_ROWS[id];
      const values: readonly unknown[] = row.values;
      expect(row.question).toMatch(/\?$/);
      expect(new Set(values).size).toBe(values.length);
      expect(values.length).toBeGreaterThan(1);
      expect(row.source).not.toBe('');
      for (const family of FAMILY_IDS) expect(values).toContain(behavioursFor(family)[id]);
      for (const family of Object.keys(row.byFamily)) expect(FAMILY_IDS).toContain(family);
    },
  );

  test('a family differs where its row says so, and overrides win over both', () => {
    expect(behavioursFor('2.5').audioStreamEndEndsTurn).toBe(true);
    expect(behavioursFor('3.8').audioStreamEndEndsTurn).toBe(false);
    expect(behavioursFor('3.8', { audioStreamEndEndsTurn: true }).audioStreamEndEndsTurn).toBe(true);
  });

  test('the guesses agree with what the families are said to take', () => {
    for (const id of FAMILY_IDS) {
      const behaviours = behavioursFor(id);
      expect(behaviours.audioStreamEndEndsTurn).toBe(FAMILIES[id].utteranceEndBy === 'audio-stream-end');
      expect(behaviours.clientContentInMidCall === 'accepted').toBe(FAMILIES[id].clientContent === 'always');
      if (FAMILIES[id].historyBy === 'contents') {
        expect([behaviours.openContentsRemembered, FAMILIES[id].clientContent]).toEqual([true, 'always']);
      }
    }
  });

  test('everyValue visits each value of each row in each family once, changing that row alone', () => {
    const cases = [...everyValue()];
    const perFamily = BEHAVIOUR_IDS.reduce((sum, id) => sum + BEHAVIOUR_ROWS[id].values.length, 0);
    expect(cases).toHaveLength(perFamily * FAMILY_IDS.length);
    expect(new Set(cases.map((one) => `${one.family} ${one.id} ${String(one.value)}`)).size).toBe(
      cases.length,
    );
    for (const { family, id, value, behaviours } of cases) {
      const usual = behavioursFor(family);
      expect(behaviours[id]).toBe(value);
      const changed = BEHAVIOUR_IDS.filter((other: BehaviourId) => behaviours[other] !== usual[other]);
      expect(changed).toEqual(usual[id] === value ? [] : [id]);
    }
  });

  test('pairs are read as people write them, and refused by name and value', () => {
    expect(
      parseBehaviours({ oldSocketGraceMs: '2000', textNoteIsAnswered: 'false', goAwayLead: 'none' }),
    ).toEqual({
      oldSocketGraceMs: 2_000,
      textNoteIsAnswered: false,
      goAwayLead: 'none',
    });
    expect(() => parseBehaviours({ nonsense: 1 })).toThrow('found the name "nonsense"');
    expect(() => parseBehaviours({ toString: 1 })).toThrow('found the name "toString"');
    expect(() => parseBehaviours({ oldSocketGraceMs: '3000' })).toThrow('wanted one of 0, 500, 2000, 8000');
  });
});

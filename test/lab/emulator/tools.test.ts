import { describe, expect, it } from 'vitest';
import { tonePhrase } from '../../../src/lab/clip.ts';
import { makeReply, makeScenario, type PlannedCall } from '../../../src/lab/scenario.ts';
import { Line } from './line.ts';

const scenario = (call: Partial<PlannedCall>, clipMs = 600) =>
  makeScenario({
    replies: [
      makeReply({
        text: 'Your order is on its way.',
        clip: tonePhrase('order', clipMs),
        calls: [{ name: 'get_order', args: { id: '42' }, when: 'before', followUp: null, ...call }],
      }),
    ],
    otherwise: [makeReply({ text: 'Yes?', clip: tonePhrase('yes', 300) })],
  });
const declare = (behavior?: string) => ({
  tools: [{ functionDeclarations: [{ name: 'get_order', ...(behavior ? { behavior } : {}) }] }],
});
const ask = (line: Line) => line.silence(300).speak(700).silence(2000);
const idOf = (line: Line): string => line.of('toolCall')[0]!.message.toolCall.functionCalls[0].id;
const respond = (line: Line, more: object = {}) =>
  line.send({
    toolResponse: {
      functionResponses: [{ id: idOf(line), name: 'get_order', response: { result: 'ok' }, ...more }],
    },
  });

describe('a tool call', () => {
  it('has an id as in recordings, the name and the arguments', () => {
    const line = ask(new Line(scenario({})).open('2.5', declare()));
    const call = line.of('toolCall')[0]!.message.toolCall.functionCalls[0];
    expect(call).toEqual({
      id: expect.stringMatching(/^function-call-\d{19}$/),
      name: 'get_order',
      args: { id: '42' },
    });
  });

  it('that blocks holds the answer back until the response', () => {
    const line = ask(new Line(scenario({})).open('2.5', declare())).silence(5000);
    expect(line.kinds()).toEqual(['setupComplete', 'toolCall']);
    respond(line).silence(3000);
    expect(line.kinds()).toEqual([
      'setupComplete',
      'toolCall',
      'audio',
      'generationComplete',
      'turnComplete',
    ]);
    expect(line.record.toolResponses).toMatchObject([{ outcome: 'blocking', response: { result: 'ok' } }]);
  });

  it('that does not block lets the model talk on', () => {
    const line = ask(new Line(scenario({})).open('2.5', declare('NON_BLOCKING'))).silence(1000);
    expect(line.kinds()).toEqual([
      'setupComplete',
      'toolCall',
      'audio',
      'generationComplete',
      'turnComplete',
    ]);
  });

  it('blocks by default on 2.5 and 3.1, and not on 3.8', () => {
    const blocks = (family: '2.5' | '3.1' | '3.8') =>
      ask(new Line(scenario({})).open(family, declare())).of('audio').length === 0;
    expect([blocks('2.5'), blocks('3.1'), blocks('3.8')]).toEqual([true, true, false]);
  });

  it('after the spoken part comes between the last chunk and generationComplete', () => {
    const line = ask(new Line(scenario({ when: 'after' })).open('2.5', declare())).silence(2000);
    expect(line.kinds()).toEqual(['setupComplete', 'audio', 'toolCall']);
    respond(line).silence(1000);
    expect(line.kinds().slice(2)).toEqual(['toolCall', 'generationComplete', 'turnComplete']);
  });

  it('may be followed by generationComplete before its response', () => {
    const behaviours = { generationCompleteAfterToolCall: true };
    const line = ask(new Line(scenario({ when: 'after' }), { behaviours }).open('2.5', declare())).silence(
      1000,
    );
    expect(line.kinds()).toEqual(['setupComplete', 'audio', 'toolCall', 'generationComplete']);
    respond(line).silence(1000);
    expect(line.of('generationComplete')).toHaveLength(1);
    expect(line.of('turnComplete')).toHaveLength(1);
  });

  it('to a function that was not declared is left out, and noted', () => {
    const line = ask(new Line(scenario({})).open('2.5')).silence(1000);
    expect(line.kinds()).toEqual(['setupComplete', 'audio', 'generationComplete', 'turnComplete']);
    expect(line.record.warnings[0]!.text).toContain('get_order');
  });

  it('waits on while only partial responses come', () => {
    const line = ask(new Line(scenario({})).open('2.5', declare()));
    respond(line, { willContinue: true }).silence(2000);
    expect(line.of('audio')).toHaveLength(0);
    respond(line).silence(2000);
    expect(line.of('audio').length).toBeGreaterThan(0);
  });

  it('that blocks is cancelled by the caller speaking where the row says so; a late response is let pass', () => {
    const behaviours = { blockingCallCancelledBySpeech: true, unknownToolId: 'close-1007' } as const;
    const line = ask(new Line(scenario({}), { behaviours }).open('2.5', declare()));
    const from = line.received.length;
    line.speak(600);
    expect(line.kinds(from)).toEqual(['interrupted', 'toolCallCancellation', 'turnComplete']);
    expect(line.of('toolCallCancellation')[0]!.message.toolCallCancellation.ids).toEqual([idOf(line)]);
    respond(line).silence(3000);
    expect(line.record.toolResponses[0]!.outcome).toBe('late');
    expect(line.text('outputTranscription')).toBe('Yes?');
  });

  it('that blocks stays pending otherwise, and the speech is answered after it', () => {
    const behaviours = { blockingCallCancelledBySpeech: false };
    const line = ask(new Line(scenario({}), { behaviours }).open('2.5', declare()));
    line.speak(600).silence(2000);
    expect(line.of('toolCallCancellation')).toHaveLength(0);
    respond(line).silence(4000);
    expect(line.text('outputTranscription')).toBe('Your order is on its way.Yes?');
  });

  it('ends the connection when audio comes meanwhile, where the row says so', () => {
    const behaviours = { audioWhileToolPending: 'close-1008' } as const;
    const line = ask(new Line(scenario({}), { behaviours }).open('2.5', declare()));
    expect(line.closed).toMatchObject({
      code: 1008,
      reason: 'Operation is not implemented, or supported, or enabled.',
    });
  });
});

describe('scheduling of a response', () => {
  const followUp = makeReply({ text: 'It arrived.', clip: tonePhrase('arrived', 300) });
  const withFollowUp = (clipMs: number) => scenario({ followUp }, clipMs);
  const nonBlocking = declare('NON_BLOCKING');

  it.each([
    ['beside', { scheduling: 'SILENT' }],
    ['inside', { response: { result: 'ok', scheduling: 'SILENT' } }],
  ] as const)('is read %s the response', (place, more) => {
    for (const schedulingPlace of ['beside', 'inside', 'both'] as const) {
      const line = ask(
        new Line(withFollowUp(300), { behaviours: { schedulingPlace } }).open('2.5', nonBlocking),
      );
      respond(line, more).silence(3000);
      const spoke = line.text('outputTranscription').includes('It arrived.');
      expect(spoke).toBe(schedulingPlace !== 'both' && schedulingPlace !== place);
    }
  });

  it('INTERRUPT breaks the answer off, WHEN_IDLE waits for its end', () => {
    const interrupting = ask(new Line(withFollowUp(6000)).open('2.5', nonBlocking));
    respond(interrupting, { scheduling: 'INTERRUPT' }).silence(2000);
    expect(interrupting.of('interrupted')).toHaveLength(1);
    expect(interrupting.text('outputTranscription')).toContain('It arrived.');

    const patient = ask(new Line(withFollowUp(6000)).open('2.5', nonBlocking));
    respond(patient, { scheduling: 'WHEN_IDLE' }).silence(2000);
    expect(patient.text('outputTranscription')).not.toContain('It arrived.');
    patient.silence(6000);
    expect(patient.of('interrupted')).toHaveLength(0);
    expect(patient.text('outputTranscription')).toContain('It arrived.');
  });

  it('is refused on extended thinking', () => {
    const line = ask(new Line(withFollowUp(300)).open('3.8-extended-thinking', nonBlocking));
    respond(line, { scheduling: 'SILENT' });
    expect(line.closed).toMatchObject({
      code: 1007,
      reason: 'Function response scheduling is not supported for this model.',
    });
  });
});

it('a response to an unknown id is ignored, or ends the connection', () => {
  const response = { toolResponse: { functionResponses: [{ id: 'function-call-1', response: {} }] } };
  const mild = new Line(scenario({})).open('2.5').send(response);
  expect(mild.closed).toBeNull();
  expect(mild.record.toolResponses[0]!.outcome).toBe('unknown');
  const strict = new Line(scenario({}), { behaviours: { unknownToolId: 'close-1007' } })
    .open('2.5')
    .send(response);
  expect(strict.closed?.code).toBe(1007);
});

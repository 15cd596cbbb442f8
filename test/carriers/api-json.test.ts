import { describe, expect, test } from 'vitest';
import type { ApiCall, ApiDependencies } from '../../src/carriers/api-client.ts';
import { callApiForJson, dialByApi, MAX_JSON_BYTES } from '../../src/carriers/api-json.ts';
import type { ControlResult } from '../../src/carriers/carrier.ts';

const CALL: ApiCall = {
  what: 'placing a call',
  url: 'https://api.example.com/calls',
  credentials: ['new', 'old'],
  request: (credential) => ({ method: 'POST', headers: { authorization: credential } }),
  judge: (status) => {
    const result: ControlResult =
      status < 300 ? 'done' : status === 404 ? 'already-ended' : status >= 429 ? 'retryable' : 'failed';
    return { result, found: `status ${status}` };
  },
  repeat: 'refused',
};

type Answer = () => Response | Promise<Response>;
const json = (value: unknown, status = 201): Answer => {
  return () => new Response(JSON.stringify(value), { status });
};

/** Each request gets the next answer, the last one for ever. */
function outside(...answers: Answer[]) {
  const asked: RequestInit[] = [];
  const problems: string[] = [];
  const dependencies: ApiDependencies = {
    clock: {
      now: () => 0,
      epochMs: () => 0,
      setTimer(_delayMs, onFire) {
        setImmediate(onFire);
        return { cancel: () => {} };
      },
    },
    random: () => 0,
    fetch: async (_url, init) => {
      asked.push(init);
      return (answers[Math.min(asked.length, answers.length) - 1] as Answer)();
    },
    onProblem: (message) => problems.push(message),
  };
  return { asked, problems, dependencies };
}

/** A body that breaks off behind its first bytes. */
function cutOff(status: number): Answer {
  return () => {
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulls += 1;
        if (pulls === 1) controller.enqueue(Buffer.from('{"sid":'));
        else controller.error(new Error('cut'));
      },
    });
    return new Response(body, { status });
  };
}

describe('a reply of which the body matters', () => {
  test('is given back as JSON', async () => {
    const { dependencies, problems } = outside(json({ sid: 'c1', more: [1, 'é'] }));
    expect(await callApiForJson(CALL, dependencies)).toEqual({
      result: 'done',
      json: { sid: 'c1', more: [1, 'é'] },
      detail: '',
    });
    expect(problems).toEqual([]);
  });

  test.each([
    ['no body', () => new Response(null, { status: 204 })],
    ['no JSON', () => new Response('<html>', { status: 200 })],
    ['a body that breaks off', cutOff(200)],
    [
      'a body without an end',
      () => new Response(`{"sid":"c1"${' '.repeat(MAX_JSON_BYTES)}}`, { status: 200 }),
    ],
  ] as const)('is done all the same, and not asked for again, with %s', async (_what, answer) => {
    const { dependencies, asked } = outside(answer);
    expect(await callApiForJson(CALL, dependencies)).toEqual({ result: 'done', json: null, detail: '' });
    expect(asked).toHaveLength(1);
  });

  test('keeps the rules of every request: deadline, no redirects, the next credential, no second try', async () => {
    const { dependencies, asked, problems } = outside(json({}, 401), json({ sid: 'c1' }));
    expect(await callApiForJson(CALL, dependencies)).toMatchObject({ result: 'done', json: { sid: 'c1' } });
    expect(asked.map(({ headers }) => (headers as Record<string, string>)['authorization'])).toEqual([
      'new',
      'old',
    ]);
    for (const { redirect, signal } of asked) {
      expect(redirect).toBe('manual');
      expect(signal).toBeInstanceOf(AbortSignal);
    }
    expect(problems).toEqual(['placing a call, attempt 1 of 3: found status 401']);
    const broken = outside(json({ sid: 'never' }, 503));
    expect(await callApiForJson(CALL, broken.dependencies)).toEqual({
      result: 'retryable',
      json: null,
      detail: 'placing a call, attempt 1 of 3: found status 503',
    });
    expect(broken.asked).toHaveLength(1);
  });

  test('never tells what an earlier attempt answered', async () => {
    const { dependencies } = outside(json({ sid: 'early' }, 429), json({}, 400));
    expect(await callApiForJson(CALL, dependencies)).toMatchObject({ result: 'failed', json: null });
  });
});

describe('a call that is placed', () => {
  const sidOf = (value: unknown): unknown => (value as { sid: unknown }).sid;

  test('has the id that the carrier gave it', async () => {
    expect(await dialByApi(CALL, sidOf, outside(json({ sid: 'c1' })).dependencies)).toEqual({
      ok: true,
      callId: 'c1',
    });
  });

  test.each([
    ['no id', json({})],
    ['an empty id', json({ sid: '' })],
    ['another thing than an id', json({ sid: 5 })],
    ['nothing', cutOff(200)],
  ] as const)('is failed where the carrier gave %s, and is not placed again', async (_what, answer) => {
    const { dependencies, asked } = outside(answer);
    const result = await dialByApi(CALL, sidOf, dependencies);
    expect(result).toMatchObject({ ok: false, result: 'failed' });
    expect(asked).toHaveLength(1);
  });

  test.each([
    [400, 'failed'],
    [404, 'failed'],
    [500, 'retryable'],
  ] as const)('was not where the carrier says %i', async (status, result) => {
    const { dependencies } = outside(json({ sid: 'c1' }, status));
    expect(await dialByApi(CALL, sidOf, dependencies)).toMatchObject({ ok: false, result });
  });

  test('is told about without numbers or credentials when fetch itself fails', async () => {
    const { dependencies } = outside(() =>
      Promise.reject(new TypeError('https://new@api.example.com/+1555')),
    );
    const result = await dialByApi(CALL, sidOf, dependencies);
    expect(result).toEqual({
      ok: false,
      result: 'retryable',
      detail: 'placing a call, attempt 1 of 3: found TypeError',
    });
  });
});

import { expect, test } from 'vitest';
import { BenchProcess } from '../../../src/lab/bench/bench-process.ts';

type Says<T extends string> = { readonly type: T; readonly n: number };
type Said = Says<'a'> | Says<'b'> | Says<'entry'>;
type Asked = { readonly type: 'echo'; readonly n: number };

const start = (
  code: string,
  more: { stepMs?: number; stopMs?: number; onMessage?: (message: Said) => boolean } = {},
) => {
  const { onMessage, ...script } = more;
  return new BenchProcess<Asked, Said>(
    { what: 'the script', args: ['-e', code], env: {}, ...script },
    onMessage,
  );
};
const ECHOES = `
  process.on('message', ({ type, n }) => type === 'stop' ? process.exit(0) : process.send({ type: 'b', n }));
  for (let n = 0; n < 3; n++) process.send({ type: 'a', n });
  process.send({ type: 'entry', n: 9 });`;

test('what it says before anybody waits is kept in its order, and what is taken is not', async () => {
  const taken: number[] = [];
  const child = start(ECHOES, {
    onMessage: ({ type, n }) => {
      if (type === 'entry') taken.push(n);
      return type === 'entry';
    },
  });
  child.send({ type: 'echo', n: 7 });
  expect((await child.wait('b')).n).toBe(7);
  expect([(await child.wait('a')).n, (await child.wait('a')).n, (await child.wait('a')).n]).toEqual([
    0, 1, 2,
  ]);
  expect(taken).toEqual([9]);
  await child.stop();
  await expect(child.wait('a')).rejects.toThrow('Running the bench: the script: it ended with 0');
});

test.each([
  ['that says why it fails', `process.send({ type: 'failed', message: 'no room' })`, /the script: no room/],
  ['that ends', `process.stderr.write('out of luck'); process.exitCode = 3`, /it ended with 3: out of luck/],
])('a process %s fails whoever waits', async (_, code, message) => {
  const child = start(code);
  await expect(child.wait('a')).rejects.toThrow(message);
  await child.stop();
});

test('a wait ends at its deadline, and one that does not stop when asked is made to', async () => {
  const child = start(`process.on('message', () => {}); process.send({ type: 'b', n: 1 })`, {
    stepMs: 400,
    stopMs: 100,
  });
  await expect(child.wait('a')).rejects.toThrow('no "a" came within 0.4 s');
  await child.stop();
  await child.stop();
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { StreamClaim } from '../../src/call/desk.ts';
import { closeOf, type Harness, MEDIA_PATH, mustOpen, openStream, startPublic, webhook } from './harness.ts';

let harness: Harness;
afterEach(() => harness.close());

describe('the handshake', () => {
  test('a signed one with a good token is joined to its call', async () => {
    harness = await startPublic();
    const { stream } = await mustOpen(harness);
    expect(stream.token).toBe('token1');
    expect(harness.counted).toEqual([]);
  });

  type Refusal = Exclude<StreamClaim, { ok: true }>['reason'];
  test.each<[Refusal, number]>([
    ['malformed', 403],
    ['mismatch', 403],
    ['stale', 403],
    ['used', 403],
    ['unknown-call', 404],
    ['draining', 503],
  ])('a token that is %s is refused with %i before the upgrade', async (reason, status) => {
    harness = await startPublic();
    harness.desk.onClaim = () => ({ ok: false, reason });
    expect(await openStream(harness)).toBe(status);
    expect(harness.desk.streams).toEqual([]);
  });

  test('without the carrier’s signature, or with another address’s, the token is not even looked at', async () => {
    harness = await startPublic();
    expect(await openStream(harness, { signed: false })).toBe(403);
    expect(await openStream(harness, { headers: { 'x-twilio-signature': 'AAAA' } })).toBe(403);
    expect(harness.desk.claimed).toEqual([]);
    expect(harness.counted).toEqual(['auth twilio handshake', 'auth twilio handshake']);
  });

  test('a browser is refused, whatever it knows', async () => {
    harness = await startPublic();
    const headers = { origin: 'https://voice.example.com' };
    expect(await openStream(harness, { headers })).toBe(403);
    expect(harness.counted).toEqual(['auth twilio origin']);
    expect(harness.desk.claimed).toEqual([]);
  });

  test.each(['/telnyx/media/token1', '/nobody/media/token1', '/twilio/media', '/twilio/voice', '/healthz'])(
    'an upgrade of %s is not found',
    async (path) => {
      harness = await startPublic();
      expect(await openStream(harness, { path })).toBe(404);
      expect(harness.desk.claimed).toEqual([]);
    },
  );

  test.each([`/twilio/media/${'x'.repeat(300)}`, '/twilio/media/%zz'])(
    'an upgrade that the router itself refuses does not hold its connection open: %#',
    async (path) => {
      harness = await startPublic({ headersTimeoutMs: 100 });
      const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`;
      expect(await rawExchange(harness.port, head)).toMatch(/^HTTP\/1\.1 4/);
    },
  );

  test('closing the server does not wait for such a connection either', async () => {
    harness = await startPublic({ headersTimeoutMs: 60_000 });
    const socket = connect(harness.port, '127.0.0.1');
    socket.write('GET /%zz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 400/);
    const over = once(socket, 'close');
    await harness.close();
    await over;
  });

  test('the stream’s address is no page', async () => {
    harness = await startPublic();
    expect((await fetch(`http://127.0.0.1:${harness.port}${MEDIA_PATH}`)).status).toBe(404);
    expect(harness.desk.claimed).toEqual([]);
  });

  test('a check that throws refuses this one handshake', async () => {
    harness = await startPublic();
    harness.desk.onClaim = () => {
      throw new Error('a bug');
    };
    expect(await openStream(harness)).toBe(500);
    expect(harness.counted).toEqual(['failed upgrade']);
    harness.desk.onClaim = () => null;
    await mustOpen(harness);
  });

  test('a handshake that is no web socket’s, though signed, joins nothing', async () => {
    harness = await startPublic();
    const answer = await rawExchange(
      harness.port,
      `GET ${MEDIA_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 403/);
  });
});

describe('how many', () => {
  test('streams that wait for their start are limited all together', async () => {
    harness = await startPublic({ pendingStreams: 3 });
    harness.desk.pendingStreams = 3;
    expect(await openStream(harness)).toBe(503);
    expect(harness.counted).toEqual(['limit pending-streams']);
    harness.desk.pendingStreams = 2;
    await mustOpen(harness);
  });

  test('young streams of one address are limited, and closed ones count no more', async () => {
    harness = await startPublic({ youngStreamsPerAddress: 2 });
    const first = await mustOpen(harness);
    await mustOpen(harness, { path: '/twilio/media/token2' });
    expect(await openStream(harness)).toBe(503);
    expect(harness.counted).toEqual(['limit streams-per-address']);
    first.ws.close();
    await first.stream.closed;
    await mustOpen(harness);
  });
});

describe('an open stream', () => {
  test('messages arrive whole, in order, and with their kind', async () => {
    harness = await startPublic();
    const { ws, stream } = await mustOpen(harness);
    ws.send('{"event":"connected"}');
    ws.send(Buffer.from([0, 255, 1]));
    ws.send('a', { fin: false });
    ws.send('b', { fin: true });
    await expect.poll(() => stream.messages.length).toBe(3);
    expect(stream.messages.map(({ data, isBinary }) => [data.toString('latin1'), isBinary])).toEqual([
      ['{"event":"connected"}', false],
      ['\x00\xff\x01', true],
      ['ab', false],
    ]);
  });

  test('a message that comes with the handshake is not lost', async () => {
    harness = await startPublic();
    for (let round = 0; round < 20; round += 1) {
      const attached = harness.desk.nextStream();
      const ws = await openStream(harness);
      if (typeof ws === 'number') throw new Error(String(ws));
      ws.send('first');
      const stream = await attached;
      await expect.poll(() => stream.messages.length).toBe(1);
      ws.terminate();
    }
  });

  test('strings go out as text, buffers as binary, and nothing after the end', async () => {
    harness = await startPublic();
    const { ws, stream } = await mustOpen(harness);
    const received: [string, boolean][] = [];
    ws.on('message', (data, isBinary) => received.push([String(data), isBinary]));
    expect(stream.socket.send('{"event":"clear"}')).toBe(true);
    expect(stream.socket.send(Buffer.from('bytes'))).toBe(true);
    await expect
      .poll(() => received)
      .toEqual([
        ['{"event":"clear"}', false],
        ['bytes', true],
      ]);
    ws.close(1000);
    expect(await stream.closed).toEqual({ code: 1000, detail: '' });
    expect(stream.socket.send('late')).toBe(false);
  });

  test('what a peer does not read is refused instead of kept', async () => {
    harness = await startPublic({ bufferedBytes: 100_000 });
    const { ws, stream } = await mustOpen(harness);
    ws.pause();
    const message = 'x'.repeat(60_000);
    let taken = 0;
    while (stream.socket.send(message) && taken < 2000) taken += 1;
    expect(taken).toBeLessThan(2000);
    expect(stream.socket.bufferedBytes).toBeLessThan(100_000 + 2 * 60_100);
    ws.terminate();
  });

  test('closing by us carries code and reason, cut to what a close frame holds', async () => {
    harness = await startPublic();
    const { ws, stream } = await mustOpen(harness);
    const closed = closeOf(ws);
    stream.socket.close(4000, 'é'.repeat(200));
    expect(await closed).toEqual({ code: 4000, reason: 'é'.repeat(61) });
    expect((await stream.closed).code).toBe(4000);
  });

  test.each([0, 999, 1004, 1005, 1006, 1015, 2000, 5000, Number.NaN])(
    'a close code that may not be sent becomes 1011: %s',
    async (code) => {
      harness = await startPublic();
      const { ws, stream } = await mustOpen(harness);
      const closed = closeOf(ws);
      stream.socket.close(code, '');
      expect((await closed).code).toBe(1011);
    },
  );

  test('a peer that does not answer our close is cut off after the grace', async () => {
    harness = await startPublic({ closeGraceMs: 50 });
    const { ws, stream } = await mustOpen(harness);
    ws.pause();
    stream.socket.close(1000, '');
    expect(await stream.closed).toEqual({ code: 1006, detail: '' });
    ws.terminate();
  });

  test('pings go out', async () => {
    harness = await startPublic({ pingEveryMs: 10 });
    const { ws } = await mustOpen(harness);
    await new Promise((resolve) => ws.once('ping', resolve));
    await new Promise((resolve) => ws.once('ping', resolve));
  });

  test('closing the server says 1001 to every stream', async () => {
    harness = await startPublic();
    const { ws, stream } = await mustOpen(harness);
    const closed = closeOf(ws);
    await harness.close();
    expect((await closed).code).toBe(1001);
    expect((await stream.closed).code).toBe(1001);
  });
});

describe('a stream that misbehaves is closed alone', () => {
  async function beside(action: (harness: Harness) => Promise<void>): Promise<void> {
    const other = await mustOpen(harness, { path: '/twilio/media/bystander' });
    await action(harness);
    other.ws.send('still here');
    await expect.poll(() => other.stream.messages.length).toBe(1);
    expect(other.stream.closes).toBe(0);
    expect((await webhook(harness, '/twilio/voice')).status).toBe(200);
  }

  test('a message of 1 MB: 1009', async () => {
    harness = await startPublic();
    await beside(async () => {
      const { ws, stream } = await mustOpen(harness);
      const closed = closeOf(ws);
      ws.send('x'.repeat(1024 * 1024));
      expect((await closed).code).toBe(1009);
      expect(await stream.closed).toEqual({ code: 1006, detail: expect.stringMatching(/^oversize: /) });
      expect(stream.messages).toEqual([]);
      expect(harness.counted).toEqual(['limit message-size']);
    });
  });

  test('more messages than any carrier sends: 1008, and what follows is not delivered', async () => {
    harness = await startPublic({ messagesPerSecond: 1, messageBurst: 30 });
    await beside(async () => {
      const { ws, stream } = await mustOpen(harness);
      const closed = closeOf(ws);
      for (let sent = 0; sent < 100; sent += 1) ws.send('x');
      expect((await closed).code).toBe(1008);
      expect((await stream.closed).detail).toMatch(/^flood: /);
      // A token or so may have come in while they were read.
      expect(stream.messages.length).toBeGreaterThanOrEqual(30);
      expect(stream.messages.length).toBeLessThan(40);
      expect(harness.counted).toEqual(['limit message-rate']);
    });
  });

  test('what piled up in 30 s of a stalled link is no flood', async () => {
    harness = await startPublic();
    const { ws, stream } = await mustOpen(harness);
    for (let sent = 0; sent < 1500; sent += 1) ws.send('x');
    await expect.poll(() => stream.messages.length).toBe(1500);
    expect(stream.closes).toBe(0);
  });

  test.each([
    ['an unmasked frame', Buffer.from([0x81, 0x01, 0x61]), /^protocol: /],
    ['a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), /^protocol: /],
    ['a reserved bit', Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), /^protocol: /],
    ['invalid UTF-8', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), /^protocol: /],
    ['junk', Buffer.from('\x00\x01\x02GET / HTTP/1.1\r\n\r\n', 'latin1'), /^protocol: /],
    [
      'thousands of tiny fragments',
      Buffer.concat([
        Buffer.from([0x01, 0x80, 0, 0, 0, 0]),
        ...Array.from({ length: 5000 }, () => Buffer.from([0x00, 0x80, 0, 0, 0, 0])),
      ]),
      /^flood: /,
    ],
  ])('%s', async (_what, bytes, detail) => {
    harness = await startPublic({ closeGraceMs: 50 });
    await beside(async () => {
      const { ws, stream } = await mustOpen(harness);
      // Below the library: the bytes as they are.
      (ws as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(bytes);
      expect((await stream.closed).detail).toMatch(detail);
      expect(stream.messages).toEqual([]);
      expect(stream.closes).toBe(1);
    });
  });

  test('a torn connection is an end like any other', async () => {
    harness = await startPublic();
    await beside(async () => {
      const { ws, stream } = await mustOpen(harness);
      ws.terminate();
      expect((await stream.closed).code).toBe(1006);
    });
  });

  test('a call that throws over a message: 1011, once told, and counted', async () => {
    harness = await startPublic();
    await beside(async () => {
      const { ws, stream } = await mustOpen(harness);
      harness.desk.onMessage = (_stream, data) => {
        if (String(data) === 'poison') throw new Error('a bug');
      };
      const closed = closeOf(ws);
      ws.send('poison');
      ws.send('after it');
      expect((await closed).code).toBe(1011);
      expect(await stream.closed).toEqual({ code: 1011, detail: expect.stringMatching(/^bug: /) });
      expect(stream.messages).toHaveLength(1);
      expect(harness.counted).toEqual(['failed stream']);
    });
  });

  test('a call that throws when its stream is attached: 1011', async () => {
    harness = await startPublic();
    harness.desk.onAttach = () => {
      throw new Error('a bug');
    };
    const ws = await openStream(harness);
    if (typeof ws === 'number') throw new Error(String(ws));
    expect((await closeOf(ws)).code).toBe(1011);
  });
});

describe('peers that speak no HTTP', () => {
  test('garbage is answered with 400 and the connection is closed', async () => {
    harness = await startPublic();
    expect(await rawExchange(harness.port, '\x16\x03\x01\x02\x00garbage\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    expect((await webhook(harness, '/twilio/voice')).status).toBe(200);
  });

  test('headers that never end are given up', async () => {
    harness = await startPublic({ headersTimeoutMs: 100, requestTimeoutMs: 200 });
    const answer = await rawExchange(harness.port, 'POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect(answer).toMatch(/^HTTP\/1\.1 408/);
  });

  test('a body that never ends is given up', async () => {
    harness = await startPublic({ headersTimeoutMs: 100, requestTimeoutMs: 200 });
    const answer = await rawExchange(
      harness.port,
      'POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nCallSid=',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408/);
    expect(harness.desk.admitted).toEqual([]);
  });

  test('two thousand headers are too many', async () => {
    harness = await startPublic();
    const headers = Array.from({ length: 2001 }, (_, n) => `h${n}: 1\r\n`).join('');
    const head = `GET ${MEDIA_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`;
    expect(await rawExchange(harness.port, `${head}${headers}\r\n`)).toMatch(/^HTTP\/1\.1 4(31|03|00)/);
    await mustOpen(harness);
  });
});

/** Writes, and resolves to everything that comes back until the other side closes. */
function rawExchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (part) => {
      answer += part;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

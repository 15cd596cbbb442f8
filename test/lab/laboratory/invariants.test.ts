import { describe, expect, it } from 'vitest';
import type { MediaPort } from '../../../src/carriers/carrier.ts';
import type { Sabotage } from '../../../src/lab/laboratory/exchange.ts';
import { type LabCallOptions, runLabCalls } from '../../../src/lab/laboratory/run-lab-call.ts';
import { type Act, talk, wait } from '../../../src/lab/laboratory/story.ts';
import { connectionsThat, once } from './sabotage.ts';

/** A quarter of a minute of conversation, with an interruption and a short word in it. */
const ACTS: readonly Act[] = [
  talk(2_000),
  talk(1_200, 'bot-speaks', 600),
  talk(400),
  wait(2_000),
  talk(3_000),
  talk(900),
  wait(4_000),
];

const isLoud = (samples: Int16Array): boolean => samples.some((sample) => sample !== 0);

/** Which sentences are broken when this stands between the gateway and the world. */
async function brokenBy(sabotage: Sabotage, options: Partial<LabCallOptions> = {}): Promise<string[]> {
  const { broken } = await runLabCalls({ acts: ACTS, sabotage, ...options });
  return [...new Set(broken.map(({ invariant }) => invariant))].sort();
}

describe('a sentence that is broken is found to be broken', () => {
  it('when nothing does harm, none is', async () => {
    expect(await brokenBy({})).toEqual([]);
  });

  it('one chunk of the caller’s speech does not reach the model', async () => {
    const connectLive = connectionsThat((connection) => {
      const drop = once<[Int16Array]>(
        30,
        (samples) => connection.sendAudio(samples),
        () => true,
      );
      return { sendAudio: (samples) => (isLoud(samples) ? drop(samples) : connection.sendAudio(samples)) };
    });
    expect(await brokenBy({ connectLive })).toEqual(['speech-arrives']);
  });

  it('one chunk reaches it twice', async () => {
    const connectLive = connectionsThat((connection) => {
      const twice = once<[Int16Array]>(
        30,
        (samples) => connection.sendAudio(samples),
        (samples) => connection.sendAudio(samples) && connection.sendAudio(samples),
      );
      return { sendAudio: (samples) => (isLoud(samples) ? twice(samples) : connection.sendAudio(samples)) };
    });
    expect(await brokenBy({ connectLive })).toEqual(['speech-once']);
  });

  it('the greeting is asked for again in the middle of the call', async () => {
    const connectLive = connectionsThat((connection) => {
      let asked = '';
      let chunks = 0;
      return {
        sendText: (text) => {
          asked = text;
          return connection.sendText(text);
        },
        sendAudio: (samples) => {
          if (++chunks === 600) connection.sendText(asked);
          return connection.sendAudio(samples);
        },
      };
    });
    expect(await brokenBy({ connectLive })).toContain('one-greeting');
  });

  /** Carriers’ ports that write more, or less, than they are told. */
  const portsThat = (change: (port: MediaPort) => MediaPort['encode']) => ({
    mediaPort: (port: MediaPort): MediaPort => ({
      decode: (data, isBinary) => port.decode(data, isBinary),
      encode: change(port),
    }),
  });

  it('audio from before a clear is written behind it', async () => {
    const sabotage = portsThat((port) => {
      let last: readonly (string | Buffer)[] = [];
      return (command) => {
        const messages = port.encode(command);
        if (command.type === 'audio') last = messages;
        return command.type === 'clear' ? [...messages, ...last] : messages;
      };
    });
    expect(await brokenBy(sabotage)).toContain('no-stale-voice');
  });

  it('a packet of the bot’s is lost', async () => {
    const sabotage = portsThat((port) => {
      let packets = 0;
      return (command) => (command.type === 'audio' && ++packets === 12 ? [] : port.encode(command));
    });
    expect(await brokenBy(sabotage)).toContain('voice-in-order');
  });

  it('a packet of the bot’s is written twice', async () => {
    const sabotage = portsThat((port) => {
      let packets = 0;
      return (command) => {
        const messages = port.encode(command);
        return command.type === 'audio' && ++packets === 12 ? [...messages, ...messages] : messages;
      };
    });
    expect(await brokenBy(sabotage)).toContain('voice-in-order');
  });

  it('the caller hears nothing any more', async () => {
    const sabotage = portsThat((port) => {
      let packets = 0;
      return (command) => (command.type === 'audio' && ++packets > 30 ? [] : port.encode(command));
    });
    expect(await brokenBy(sabotage, { acts: [...ACTS, wait(20_000)] })).toContain('no-dead-air');
  });

  it('what the model is sent is not what it takes', async () => {
    const connectLive = connectionsThat((connection) => {
      const wrong = once<[Int16Array]>(
        200,
        (samples) => connection.sendAudio(samples),
        () => connection.sendToolResponses([{ id: '', name: 'nobody', response: {} }]),
      );
      return { sendAudio: wrong };
    });
    expect(await brokenBy({ connectLive })).toContain('well-formed');
  });

  it('a tool call that nobody made is answered', async () => {
    const connectLive = connectionsThat((connection) => {
      const answer = once<[Int16Array]>(
        200,
        (samples) => connection.sendAudio(samples),
        (samples) =>
          connection.sendToolResponses([{ id: 'no-such-call', name: 'hang_up', response: {} }]) &&
          connection.sendAudio(samples),
      );
      return { sendAudio: answer };
    });
    expect(await brokenBy({ connectLive })).toEqual(['tools-once']);
  });

  it('a connection is not closed when the call is over', async () => {
    const connectLive = connectionsThat(() => ({ close: () => Promise.resolve() }));
    expect(await brokenBy({ connectLive })).toEqual(['nothing-left']);
  });

  it('something in the gateway throws', async () => {
    const connectLive = connectionsThat((connection) => {
      let chunks = 0;
      return {
        sendAudio: (samples) => {
          if (++chunks === 300) throw new Error('as no connection may');
          return connection.sendAudio(samples);
        },
      };
    });
    expect(await brokenBy({ connectLive })).toContain('ends-for-a-reason');
  });
});

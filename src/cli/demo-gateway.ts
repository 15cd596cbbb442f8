/**
 * The gateway of a demo, in a process of its own: an event loop that it shares with nobody, as in real life, so that
 * what the caller's process does (it plays carrier and model) cannot be mistaken for the gateway's delay.
 */
import { messageOf } from '../errors.ts';
import { configFrom, type Gateway, startGateway } from '../main.ts';
import type { FromGateway, ToGateway } from './demo-messages.ts';

const tell = (message: FromGateway): void => {
  if (process.connected) process.send?.(message);
};

// Ctrl-C reaches the whole process group; the parent decides when this one stops.
process.on('SIGINT', () => {});

let gateway: Gateway | null = null;
const stop = async (): Promise<void> => {
  await gateway?.close();
  process.exit(0);
};
process.on('disconnect', () => void stop());
process.on('message', async (message: ToGateway) => {
  if (message.type === 'stop') return stop();
  tell({ type: 'metrics', text: (await gateway?.metrics.expose()) ?? '' });
});

try {
  gateway = await startGateway(configFrom(process.env), {
    listeners: [(entry) => tell({ type: 'entry', entry })],
  });
  tell({ type: 'ready', localUrl: gateway.localUrl, publicUrl: gateway.publicUrl });
} catch (caught) {
  tell({ type: 'failed', message: messageOf(caught) });
  process.exitCode = 1;
  process.disconnect?.();
}

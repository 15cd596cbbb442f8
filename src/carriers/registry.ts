import { systemClock } from '../clock.ts';
import type { ApiDependencies } from './api-client.ts';
import type { CarrierAdapter, CarrierId } from './carrier.ts';
import { createTwilioAdapter } from './twilio/adapter.ts';
import type { TwilioSettings } from './twilio/settings.ts';

/** One member per carrier, present when its credentials are configured. */
export interface CarriersConfig {
  /** The origin that carriers see: https, or http for a loopback host. */
  readonly publicUrl: string;
  readonly twilio?: TwilioSettings;
}

const SYSTEM: ApiDependencies = {
  clock: systemClock,
  random: Math.random,
  fetch: (url, init) => fetch(url, init),
  onProblem: () => {},
};

/** The adapters of the configured carriers; a carrier that is not in the map answers 404. */
export function buildCarriers(
  config: CarriersConfig,
  dependencies: Partial<ApiDependencies> = {},
): ReadonlyMap<CarrierId, CarrierAdapter> {
  const outside = { ...SYSTEM, ...dependencies };
  const { publicUrl, twilio } = config;
  const adapters: CarrierAdapter[] = [];
  if (twilio !== undefined) adapters.push(createTwilioAdapter(twilio, publicUrl, outside));
  return new Map(adapters.map((adapter) => [adapter.id, adapter]));
}

import { setTimeout as delay } from 'node:timers/promises';

/** Labels and value of every number of this name at a `/metrics`. */
export async function numbers(
  metricsUrl: string,
  name: string,
): Promise<{ labels: Record<string, string>; value: number }[]> {
  const text = await (await fetch(metricsUrl)).text();
  return Array.from(text.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm))
    .filter(([, its]) => its === name)
    .map(([, , labels = '', value]) => ({
      labels: Object.fromEntries(
        Array.from(labels.matchAll(/(\w+)="(.*?)"/g), ([, key, text]) => [key, text]),
      ),
      value: Number(value),
    }));
}

/** All that was counted under a name. */
export async function counted(metricsUrl: string, name: string): Promise<number> {
  return (await numbers(metricsUrl, name)).reduce((sum, { value }) => sum + value, 0);
}

/** Once a gateway sends calls to exactly these messengers (`host:port`). */
export async function untilServing(gatewayMetricsUrl: string, ...addresses: string[]): Promise<void> {
  let last: unknown;
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await delay(20)) {
    last = await servingAt(gatewayMetricsUrl).catch(String);
    if (JSON.stringify(last) === JSON.stringify(addresses.toSorted())) return;
  }
  throw new Error(`calls go to ${JSON.stringify(last)}, not to ${addresses}`);
}

async function servingAt(gatewayMetricsUrl: string): Promise<(string | undefined)[]> {
  const nodes = await numbers(gatewayMetricsUrl, 'chatterbox_node_serving');
  return nodes
    .filter(({ value }) => value === 1)
    .map(({ labels }) => labels.node)
    .toSorted();
}

import type { Express } from 'express';

/** `/healthz`: the process answers. `/readyz`: whether everything that it needs is there, and what is `missing`, by name. */
export function addHealth(app: Express, missing: () => string[] | Promise<string[]>): void {
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/readyz', async (_request, response) => {
    const { status, body } = readinessOf(await missing());
    response.status(status).json(body);
  });
}

/** What /readyz answers on any port, given what is missing. */
export function readinessOf(missing: string[]) {
  const isReady = missing.length === 0;
  return { status: isReady ? 200 : 503, body: { status: isReady ? 'ready' : 'not ready', missing } };
}

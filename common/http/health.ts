import type { Express } from 'express';

/** `/healthz`: the process answers. `/readyz`: whether everything that it needs is there, and what is `missing`, by name. */
export function addHealth(app: Express, missing: () => string[] | Promise<string[]>): void {
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/readyz', async (_request, response) => {
    const names = await missing();
    const isReady = names.length === 0;
    response.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready', missing: names });
  });
}

import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { newDatabase } from './fixtures/database.ts';
import { Mysql } from './open.ts';
import { sql } from './sql.ts';

const SERVER = process.env.TEST_MYSQL_URL;

describe('a transaction', () => {
  const what = 'that the server comes to only after we have given up is not carried out, and runs again';
  if (SERVER === undefined) it(`${what} (no MySQL here: run \`npm run engines -- -- npm test\`)`);
  else
    it(what, async function () {
      if (!(await comesTooLate(SERVER))) this.skip();
    });

  /** Whether it could be tried: the guard is MariaDB's. */
  async function comesTooLate(server: string): Promise<boolean> {
    await using database = await newDatabase(server);
    await using mysql = new Mysql({ url: database.url });
    const [{ version } = { version: '' }] = await mysql.query<{ version: string }>(
      sql`SELECT VERSION() AS version`,
    );
    if (!version.includes('MariaDB')) return false;
    await mysql.query(sql`CREATE TABLE noted (run INT, text VARCHAR(20000))`);
    for (const text of ['short', 'long'.repeat(5_000)]) {
      let runs = 0;
      await mysql.transaction(async (tx) => {
        // To the first one the server comes a minute later, by its clock.
        if (++runs === 1) await tx.run(sql`SET SESSION timestamp = UNIX_TIMESTAMP() + 60`);
        await tx.commit(sql`INSERT INTO noted VALUES (${runs}, ${text})`, sql`DO 1`);
      });
      assert.equal(runs, 2);
      const rows = await mysql.query(sql`SELECT run FROM noted WHERE text = ${text}`);
      assert.deepEqual(rows, [{ run: 2 }]);
    }
    return true;
  }
});

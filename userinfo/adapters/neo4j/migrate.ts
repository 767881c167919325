import { setTimeout as delay } from 'node:timers/promises';
import {
  type AppliedStep,
  type Migration,
  type StepStatus,
  stepStatuses,
  stepsToRun,
} from '#common/migrations.ts';
import { BATCH_MS, type Neo4j, type Tx } from './connection.ts';
import { isFromServer } from './errors.ts';

/**
 * Brings the graph to the newest step. Any number of nodes may do this at once: one does, the others wait for it.
 * @throws Error when the graph was written by a newer program.
 */
export async function migrate(neo4j: Neo4j, migrations: readonly Migration[]): Promise<void> {
  await createLock(neo4j);
  // Neo4j changes its schema in transactions of their own; this one only holds the lock meanwhile, then keeps the record.
  await neo4j.write(async (tx) => {
    await tx.run(LOCK);
    for (const { number, name, checksum, sql } of stepsToRun(neo4j.where, await applied(tx), migrations)) {
      for (const statement of sql.split(';')) await neo4j.write((alone) => alone.run(statement), BATCH_MS);
      await tx.run('CREATE (:Migration {number: $number, name: $name, checksum: $checksum})', {
        number,
        name,
        checksum,
      });
    }
  }, BATCH_MS);
}

/** Every step, and whether it has run; changes nothing. @throws Error like `migrate`. */
export async function status(neo4j: Neo4j, migrations: readonly Migration[]): Promise<StepStatus[]> {
  return stepStatuses(neo4j.where, await neo4j.read(applied), migrations);
}

/** Neo4j answers some of those who create one constraint at once with a deadlock, the one case where nobody waits for the lock yet. */
async function createLock(neo4j: Neo4j): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await neo4j.write((tx) => tx.run(LOCK_ONCE), BATCH_MS);
      return;
    } catch (error) {
      if (attempt === CREATIONS || !isFromServer(error)) throw error;
    }
    await delay(PAUSE_MS * attempt * (0.5 + Math.random()));
  }
}

const CREATIONS = 5;
const PAUSE_MS = 100;

const LOCK_ONCE =
  'CREATE CONSTRAINT migration_once IF NOT EXISTS FOR (m:Migration) REQUIRE m.number IS UNIQUE';

/** A node that is written to is ours until the transaction ends. */
const LOCK = 'MERGE (lock:Migration {number: 0}) SET lock.locked = true';

function applied(tx: Tx): Promise<AppliedStep[]> {
  return tx.run<AppliedStep>(`
    MATCH (m:Migration) WHERE m.number > 0
    RETURN m.number AS number, m.name AS name, m.checksum AS checksum
    ORDER BY number`);
}

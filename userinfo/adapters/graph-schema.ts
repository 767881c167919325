import type { StoreSchema } from '#common/migrations.ts';
import { openSqlite, sqliteStatus } from '#common/sqlite/open.ts';
import { Neo4j } from './neo4j/connection.ts';
import { migrate, status } from './neo4j/migrate.ts';
import { MIGRATIONS as NEO4J } from './neo4j/schema.ts';
import { MIGRATIONS as SQLITE } from './sqlite/schema.ts';

/** The graph's schema in the SQLite file at `path`. */
export function sqliteGraphSchema(path: string): StoreSchema {
  return {
    status: async () => sqliteStatus(path, SQLITE),
    migrate: async () => openSqlite(path, SQLITE).close(),
  };
}

/** The graph's constraints in the Neo4j at `url`. */
export function neo4jGraphSchema(url: string): StoreSchema {
  const connected = async <T>(work: (neo4j: Neo4j) => Promise<T>): Promise<T> => {
    await using neo4j = new Neo4j(url);
    return await work(neo4j);
  };
  return {
    status: () => connected((neo4j) => status(neo4j, NEO4J)),
    migrate: () => connected((neo4j) => migrate(neo4j, NEO4J)),
  };
}

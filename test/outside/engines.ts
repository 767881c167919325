import { randomUUID } from 'node:crypto';
import mysql from 'mysql2/promise';
import neo4j from 'neo4j-driver';

export const MYSQL = process.env.TEST_MYSQL_URL;
export const NATS = process.env.TEST_NATS_URL;
export const NEO4J = process.env.TEST_NEO4J_URL;

/** Says of a suite that it is not run, and why. */
export function withoutEngine(name: string): string {
  return `needs ${name}: run \`npm run engines -- -- npm test\``;
}

export interface Database extends AsyncDisposable {
  url: string;
}

/** A new, empty database on the server. */
export async function newDatabase(server: string): Promise<Database> {
  const name = `t${randomUUID().replaceAll('-', '')}`;
  const query = async (statement: string) => {
    const connection = await mysql.createConnection(server);
    await connection.query(statement);
    await connection.end();
  };
  await query(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, [Symbol.asyncDispose]: () => query(`DROP DATABASE ${name}`) };
}

/** Leaves no node in the Neo4j of the tests, which has one graph for all of them. */
export async function emptyNeo4j(url: string): Promise<void> {
  const { protocol, host, username, password } = new URL(url);
  const driver = neo4j.driver(`${protocol}//${host}`, neo4j.auth.basic(username, password));
  const session = driver.session();
  await session.run('MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS');
  await session.close();
  await driver.close();
}

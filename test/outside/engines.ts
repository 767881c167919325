import neo4j from 'neo4j-driver';

export const MYSQL = process.env.TEST_MYSQL_URL;
export const NATS = process.env.TEST_NATS_URL;
export const NEO4J = process.env.TEST_NEO4J_URL;

/** Says of a suite that it is not run, and why. */
export function withoutEngine(name: string): string {
  return `needs ${name}: run \`npm run engines -- -- npm test\``;
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

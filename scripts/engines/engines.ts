import type { Engine } from './engine.ts';
import { mariadb } from './mariadb.ts';
import { nats } from './nats.ts';
import { neo4j } from './neo4j.ts';

export const ENGINES: readonly Engine[] = [mariadb, neo4j, nats];

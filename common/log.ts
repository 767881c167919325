import { destination, type Logger, pino } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on standard error. Tokens and passwords are never logged by the callers, and redacted here. */
export function createLog(service: string, level: LogLevel): Log {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions?.isoTime ?? true,
      redact: ['authorization', '*.authorization', 'password', '*.password', 'token', '*.token'],
    },
    destination({ dest: 2, sync: true }),
  );
}

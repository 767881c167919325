import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../../scripts/end-with-us.ts';
import { Session, type SessionFrame, sessionStub } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';

const SESSIONS = 6;
const SENDS_IN_FRAME = 1_000;

/** A process that loads a server until it is disposed of: one person's sessions write to a friend, each a full frame after the other. */
export class Flood implements Disposable {
  readonly #child: ReturnType<typeof spawn>;

  constructor(url: string, { token }: Account, friend: string) {
    const command = [fileURLToPath(import.meta.url), url, token, friend];
    this.#child = spawn(process.execPath, command, { stdio: 'inherit' });
    endWithUs(this.#child);
  }

  /** It ends by itself where a session does. */
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

async function pour(url: string, token: string, friend: string, device: string): Promise<never> {
  const session = new Session(sessionStub(url), { token }, { open: { device } });
  for (let sent = 0; ; sent += SENDS_IN_FRAME) {
    const sends = Array.from({ length: SENDS_IN_FRAME }, (_, i) => {
      return { friend, text: 'hello', client_id: `${device}-${sent + i}` };
    });
    session.write({ sends });
    for (let answered = 0; answered < SENDS_IN_FRAME; ) {
      const { results }: SessionFrame = await session.next();
      answered += results.length;
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const [url = '', token = '', friend = ''] = process.argv.slice(2);
  const names = Array.from({ length: SESSIONS }, (_, i) => `flood-${process.pid}-${i}`);
  await Promise.all(names.map((device) => pour(url, token, friend, device)));
}

import type { SendRequest } from '#proto/chatterbox/v1/session.ts';
import { orderedId } from './client-id.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';
import { frame, openRaw } from './raw-session.ts';

export interface EchoStreamsParams extends Timing {
  people: Person[];
  inFlight: number;
  /** Sends in one frame. */
  perFrame: number;
  bodyBytes: number;
}

/** Streams that are answered at once: so many sends on their way on each, so many in a frame. The ceiling of what grpc-js can carry. */
export async function runEchoStreams(params: EchoStreamsParams, phases: Phases): Promise<LoadResult> {
  const meter = new Meter();
  const running = Promise.all(params.people.map((person) => echo(person, params, meter)));
  await Promise.race([meter.run(params, phases), running]);
  await running;
  return meter.result();
}

async function echo(person: Person, { inFlight, perFrame, bodyBytes }: EchoStreamsParams, meter: Meter) {
  let [sent, answered] = [0, 0];
  const done = Promise.withResolvers<void>();
  const sentAt: number[] = [];
  const session = openRaw(person, 'bench', ({ results }) => {
    if (results.length === 0) return;
    check(results.length === perFrame, 'frames come back as they were sent');
    const at = sentAt.shift() ?? Number.NaN;
    for (let i = 0; i < results.length; i++) meter.acknowledged(at);
    answered += results.length;
    if (performance.now() < meter.end) send();
    else if (answered === sent) done.resolve();
  });
  const text = 'x'.repeat(bodyBytes);
  const send = () => {
    sentAt.push(performance.now());
    sent += perFrame;
    session.call.write(frame({ sends: Array.from({ length: perFrame }, () => request(text)) }));
  };
  await session.caughtUp;
  for (let i = 0; i < inFlight; i += perFrame) send();
  await Promise.race([done.promise, session.ended]);
  check(answered === sent, 'every frame comes back');
  await session.close();
}

function request(text: string): SendRequest {
  return { friend: 'somebody', conversation: '', text, clientId: orderedId(), clientTimeMs: 0n };
}

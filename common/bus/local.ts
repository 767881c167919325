import { type Bus, Subscriptions } from './bus.ts';

/** A bus within one process. */
export class LocalBus {
  readonly #connections = new Set<Subscriptions>();

  connect(): Bus {
    const subscriptions = new Subscriptions();
    this.#connections.add(subscriptions);
    const others = () => [...this.#connections].filter((connection) => connection !== subscriptions);
    return {
      isConnected: true,
      dropped: 0,
      publish: (subject, message) => {
        for (const other of others()) setImmediate(() => other.hear(subject, message));
      },
      subscribe(subject, listener) {
        subscriptions.add(subject, listener);
        return { [Symbol.dispose]: () => void subscriptions.remove(subject, listener) };
      },
      [Symbol.asyncDispose]: async () => void this.#connections.delete(subscriptions),
    };
  }
}

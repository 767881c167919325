import { busContract } from './bus.contract.ts';
import { LocalBus } from './local.ts';

const bus = new LocalBus();
busContract('the bus within a process', async () => bus.connect());

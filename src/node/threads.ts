import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Seat, serveBands } from '../cpu/band.ts';
import { type BandThread, Crew } from '../cpu/crew.ts';

/** The maximum number of threads. More threads would only wait for memory access. */
const MAX_THREADS = 8;

/**
 * Creates the CPU backend's threads, which share memory. The default is one thread per core, up to
 * `MAX_THREADS`.
 */
export function openCrew(threads = Math.min(availableParallelism(), MAX_THREADS)): Crew {
  return new Crew(threads, startThread);
}

/**
 * Starts a worker from a string, because the bundled command line has no separate file for the
 * worker.
 */
function startThread(): BandThread {
  const worker = new Worker(
    `require('node:worker_threads').parentPort.on('message', ${serveBands})`,
    { eval: true, name: 'crispen' },
  );
  // Sleeping threads must not keep the process running.
  worker.unref();
  return {
    send: (seat: Seat) => worker.postMessage(seat),
    terminate: () => void worker.terminate(),
  };
}

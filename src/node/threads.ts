import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Seat, serveBands } from '../cpu/band.ts';
import { type BandThread, Crew } from '../cpu/crew.ts';

/** More threads than this would only wait for memory. */
export const MAX_THREADS = 8;

/**
 * Opens the threads of the CPU backend, by default one per core. Node's worker threads share
 * memory.
 */
export function openCrew(threads = Math.min(availableParallelism(), MAX_THREADS)): Crew {
  return new Crew(threads, startThread);
}

/** Starts a worker that has no file, because a bundled command line has no separate files. */
function startThread(): BandThread {
  const worker = new Worker(
    `require('node:worker_threads').parentPort.on('message', ${serveBands})`,
    { eval: true, name: 'crispen' },
  );
  // The process may end while the threads sleep.
  worker.unref();
  return {
    send: (seat: Seat) => worker.postMessage(seat),
    terminate: () => void worker.terminate(),
  };
}

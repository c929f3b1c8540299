/** Threads that share memory, in a separate chunk, for cross-origin isolated pages. */
import { type BandThread, Crew } from '../cpu/crew.ts';
import { startThread } from './threads.ts';

export { serveBands } from '../cpu/band.ts';

export const openCrew = (threads: number): Crew => new Crew(threads, startBandThread);

/** Starts a thread. Messages to it wait until it has started. It ends with this worker. */
function startBandThread(): BandThread {
  const started = startThread();
  return {
    send: (seat) => void started.then((port) => port?.postMessage(seat, [])),
    terminate: () => {},
  };
}

/**
 * Threads that share memory, for cross-origin isolated pages. This module is imported dynamically,
 * so that other pages do not load it.
 */
import { type BandThread, Crew } from '../cpu/crew.ts';
import { startThread } from './threads.ts';

export { serveBands } from '../cpu/band.ts';

export const openCrew = (threads: number): Crew => new Crew(threads, startBandThread);

/**
 * Starts a thread. Messages to the thread wait until it has started. The thread ends when this
 * worker ends.
 */
function startBandThread(): BandThread {
  const started = startThread();
  return {
    send: (seat) => void started.then((port) => port?.postMessage(seat, [])),
    terminate: () => {},
  };
}

import type { BandThread } from '../cpu/crew.ts';
import type { Port } from '../cpu/tiles.ts';
import type { ThreadEvent } from './protocol.ts';

declare const self: DedicatedWorkerGlobalScope;

/** Milliseconds that a thread may take to start. */
const START_MS = 5000;

/** Leaves one core to the page. */
export const defaultThreads = (): number =>
  Math.min(8, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));

/** Bundlers make workers of either kind. Only a classic one may import scripts. */
function kindOfWorker(): WorkerType {
  try {
    importScripts();
    return 'classic';
  } catch {
    return 'module';
  }
}

/**
 * Starts this worker's own script again as a thread, so no other script needs a URL, a policy or a
 * bundler's attention. Every browser with WebAssembly SIMD allows workers to start workers.
 * @returns null if that fails, for example for a script whose URL was revoked
 */
export async function startThread(): Promise<(Port & { terminate(): void }) | null> {
  let worker: Worker;
  try {
    worker = new Worker(self.location.href, { type: kindOfWorker(), name: 'crispen thread' });
  } catch {
    return null;
  }
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ thread: port2 } satisfies ThreadEvent, [port2]);
  const isReady = await new Promise<boolean>((resolve) => {
    worker.onerror = (event) => {
      event.preventDefault();
      resolve(false);
    };
    port1.onmessage = () => resolve(true);
    setTimeout(() => resolve(false), START_MS);
  });
  if (!isReady) {
    worker.terminate();
    return null;
  }
  return Object.assign(port1 as Port, { terminate: () => worker.terminate() });
}

/** A thread for shared memory. Messages to it wait until it has started. */
export function startBandThread(): BandThread {
  const started = startThread();
  return {
    send: (seat) => void started.then((port) => port?.postMessage(seat, [])),
    terminate: () => void started.then((port) => port?.terminate()),
  };
}

import type { Port } from '../cpu/tiles.ts';
import type { ThreadEvent } from './protocol.ts';
import { trustedUrl } from './trusted.ts';

declare const self: DedicatedWorkerGlobalScope;

/** Milliseconds that a thread may take to start. */
const START_MS = 5000;

/** Returns the default number of threads, which leaves one core to the page. */
export const defaultThreads = (): number =>
  Math.min(8, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));

/**
 * Returns the kind of this worker. Bundlers make both kinds. Only a classic worker may import
 * scripts.
 */
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
 * bundler's attention. If the worker cannot do that, because the browser does not allow it or the
 * script's URL was revoked, the page starts the thread.
 * @returns the thread's port, or null if no thread could be started
 */
export async function startThread(): Promise<Port | null> {
  return (await start(startNested)) ?? start(startByPage);
}

async function start(
  begin: (port: MessagePort, failed: () => void) => () => void,
): Promise<Port | null> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    let end = () => {};
    const failed = () => {
      end();
      resolve(null);
    };
    const timer = setTimeout(failed, START_MS);
    port1.onmessage = () => {
      clearTimeout(timer);
      resolve(port1 as Port);
    };
    try {
      end = begin(port2, failed);
    } catch {
      failed();
    }
  });
}

function startNested(port: MessagePort, failed: () => void): () => void {
  const url = trustedUrl(self.location.href);
  const worker = new Worker(url, { type: kindOfWorker(), name: 'crispen thread' });
  worker.onerror = (event) => {
    event.preventDefault();
    failed();
  };
  worker.postMessage({ thread: port } satisfies ThreadEvent, [port]);
  return () => worker.terminate();
}

function startByPage(port: MessagePort): () => void {
  self.postMessage({ thread: port } satisfies ThreadEvent, [port]);
  return () => {};
}

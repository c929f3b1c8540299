import type { Port } from '../cpu/tiles.ts';
import type { ThreadEvent } from './protocol.ts';
import { trustedUrl } from './trusted.ts';

declare const self: DedicatedWorkerGlobalScope;

/** The time within which a thread must start, in milliseconds. */
const START_MS = 5000;

/** Returns the default number of threads. One core is left free for the page. */
export const defaultThreads = (): number =>
  Math.min(8, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));

/**
 * Returns the type of this worker, classic or module. Bundlers produce both types, but only classic
 * workers can call `importScripts`.
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
 * Starts this worker's own script again as a thread. A second script would have its own URL, which
 * bundlers would have to support and the page's content security policy would have to allow. If the
 * worker cannot start the thread, because the browser does not allow it or the script's URL was
 * revoked, the page starts the thread.
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

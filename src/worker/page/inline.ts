/**
 * A worker whose script lies on another site, such as a CDN, which browsers do not start directly:
 * a script of one line that imports it. The content policy has to allow `worker-src blob:` and the
 * other site to allow the import (CORS).
 *
 * @param url of the library's `worker.js`
 */
export function inlineWorker(url: string | URL): Worker {
  const script = new Blob([`import ${JSON.stringify(String(url))}`], { type: 'text/javascript' });
  const address = URL.createObjectURL(script);
  const worker = new Worker(address, { type: 'module' });
  // The address is read when the worker starts, which its first message shows, and not needed again.
  worker.addEventListener('message', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}

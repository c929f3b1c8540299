/**
 * A worker whose script is on another site, such as a CDN. Browsers do not start it directly, so
 * this is a script of one line that imports it. The content policy must allow `worker-src blob:`,
 * and the other site must allow the import (CORS).
 *
 * @param url of the library's `worker.js`
 */
export function inlineWorker(url: string | URL): Worker {
  const script = new Blob([`import ${JSON.stringify(String(url))}`], { type: 'text/javascript' });
  const address = URL.createObjectURL(script);
  const worker = new Worker(address, { type: 'module' });
  // The URL is read when the worker starts. Its first message shows that it is no longer needed.
  worker.addEventListener('message', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}

import { trustedUrl } from '../trusted.ts';

/**
 * A worker whose script is on another site, such as a CDN. Browsers do not start it directly, so
 * this is a script of one line that imports it. The content policy must allow `worker-src blob:`,
 * and the other site must allow the import (CORS).
 *
 * @param url of the library's `worker.js`
 */
export function inlineWorker(url: string | URL): Worker {
  const script = new Blob([`import ${JSON.stringify(String(url))}`], { type: 'text/javascript' });
  // Never revoked: the worker starts its threads from the same address.
  return new Worker(trustedUrl(URL.createObjectURL(script)), { type: 'module' });
}

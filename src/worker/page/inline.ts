import { trustedUrl } from '../trusted.ts';

/**
 * Makes a worker whose script is on another site, such as a CDN. Browsers do not start such a
 * script directly, so the worker gets a script of one line that imports it. The content policy must
 * allow `worker-src blob:`, and the other site must allow the import (CORS).
 *
 * @param url of the library's `worker.js`
 */
export function inlineWorker(url: string | URL): Worker {
  const script = new Blob([`import ${JSON.stringify(String(url))}`], { type: 'text/javascript' });
  // Never revoked, because the worker starts its threads from the same URL.
  return new Worker(trustedUrl(URL.createObjectURL(script)), { type: 'module' });
}

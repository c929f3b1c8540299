import { trustedUrl } from '../trusted.ts';

/**
 * Starts a worker from a script on another site, such as a CDN. Browsers do not allow this
 * directly, so the worker runs a one-line script that imports the script from the other site. The
 * page's content security policy must allow `worker-src blob:`, and the other site must allow the
 * import (CORS).
 *
 * @param url the address of the library's `worker.js`
 */
export function inlineWorker(url: string | URL): Worker {
  const script = new Blob([`import ${JSON.stringify(String(url))}`], { type: 'text/javascript' });
  // The URL is never revoked, because the worker also starts its threads from it.
  return new Worker(trustedUrl(URL.createObjectURL(script)), { type: 'module' });
}

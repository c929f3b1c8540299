import { trustedUrl } from '../trusted.ts';

/**
 * Makes a worker from a script on another site, such as a CDN. Browsers do not start such a script
 * directly, so the worker runs a one-line script that imports the other script. The content policy
 * must allow `worker-src blob:`, and the other site must allow the import (CORS).
 *
 * @param url address of the library's `worker.js`
 */
export function inlineWorker(url: string | URL): Worker {
  const script = new Blob([`import ${JSON.stringify(String(url))}`], { type: 'text/javascript' });
  // The URL is never revoked, because the worker starts its threads from it.
  return new Worker(trustedUrl(URL.createObjectURL(script)), { type: 'module' });
}

/** Receives the files that the system passes to the installed app. */

/** The name must be the same as in `service-worker.js`. */
const SHARED = 'crispen-shared';

interface LaunchQueue {
  setConsumer(
    consumer: (launch: { readonly files?: readonly FileSystemFileHandle[] }) => void,
  ): void;
}

/** Returns the files that another app has shared since the last call. */
async function sharedFiles(): Promise<File[]> {
  if (!('caches' in globalThis) || !(await caches.has(SHARED))) return [];
  const cache = await caches.open(SHARED);
  const files: File[] = [];
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    await cache.delete(request);
    if (!response) continue;
    const blob = await response.blob();
    const name = decodeURIComponent(response.headers.get('X-Name') ?? '');
    files.push(new File([blob], name, { type: blob.type }));
  }
  return files;
}

/**
 * Receives pictures that another app shares and files that the user opens with this app.
 * @param onFiles is called with at least one file
 */
export function listenForLaunches(onFiles: (files: Promise<File[]>) => void): void {
  if (new URLSearchParams(location.search).has('shared')) {
    // The URL is changed so that a reload does not look for shared files again.
    history.replaceState(history.state, '', location.pathname);
    void sharedFiles().then((files) => files.length > 0 && onFiles(Promise.resolve(files)));
  }
  const { launchQueue } = globalThis as { launchQueue?: LaunchQueue };
  launchQueue?.setConsumer(({ files = [] }) => {
    if (files.length > 0) onFiles(Promise.all(files.map((handle) => handle.getFile())));
  });
}

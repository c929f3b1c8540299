/**
 * Caches the page with all of its parts, so that it works without a connection. The build inserts
 * the list of files and a version that changes if any file changes. The page's own worker caches
 * the weights.
 */
const FILES = /* FILES */ [];
/** Large parts, which are cached once a picture has been enlarged, or on their first use. */
const LATER = /* LATER */ [];
const PREFIX = 'crispen-shell-';
const CACHE = `${PREFIX}/* VERSION */`;

const scope = new URL('./', location.href);
const wanted = new Set([...FILES, ...LATER].map((file) => new URL(file, scope).href));
const index = new URL('index.html', scope).href;

async function keep(files) {
  const cache = await caches.open(CACHE);
  const missing = [];
  for (const file of files) {
    const url = new URL(file, scope).href;
    if (!(await cache.match(url))) missing.push(url);
  }
  await cache.addAll(missing);
}

async function answer(url, request) {
  const kept = await caches.match(url, { cacheName: CACHE });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && wanted.has(url)) {
    const cache = await caches.open(CACHE);
    await cache.put(url, response.clone());
  }
  return response;
}

addEventListener('install', (event) => event.waitUntil(keep(FILES)));

addEventListener('activate', (event) => {
  const clear = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    }
    await clients.claim();
  };
  event.waitUntil(clear());
});

addEventListener('message', (event) => {
  if (event.data === 'keep the rest') event.waitUntil(keep(LATER));
  if (event.data === 'take over') event.waitUntil(skipWaiting());
});

/** This cache stores files that another app shares until `given.ts` in the page reads them. */
const SHARED = 'crispen-shared';

async function share(request) {
  const form = await request.formData();
  const cache = await caches.open(SHARED);
  for (const [i, file] of form.getAll('pictures').entries()) {
    const headers = { 'Content-Type': file.type, 'X-Name': encodeURIComponent(file.name) };
    await cache.put(new URL(`shared/${Date.now()}-${i}`, scope), new Response(file, { headers }));
  }
  return Response.redirect(new URL('./?shared', scope), 303);
}

addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  url.search = url.hash = '';
  if (request.method === 'POST' && url.href === new URL('share', scope).href) {
    event.respondWith(share(request));
    return;
  }
  if (url.href === scope.href) url.href = index;
  if (request.method === 'GET' && wanted.has(url.href)) {
    event.respondWith(answer(url.href, request));
  }
});

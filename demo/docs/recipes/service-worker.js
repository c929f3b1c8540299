// A weight file never changes under its name, so it is fetched once and then comes from the cache.
self.addEventListener('fetch', (event) => {
  if (!event.request.url.endsWith('.safetensors')) return;
  const answer = caches.open('weights').then(async (cache) => {
    const kept = await cache.match(event.request);
    if (kept) return kept;
    const response = await fetch(event.request);
    if (response.ok) await cache.put(event.request, response.clone());
    return response;
  });
  event.respondWith(answer);
});

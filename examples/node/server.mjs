// An Express server with one upscaler for all requests. It cancels the picture of a client that
// disconnects.
// node server.mjs 8080, then: curl --data-binary @photo.png localhost:8080/enlarge > large.webp
import { CrispenError, createUpscaler } from 'crispen/node';
import express from 'express';

const upscaler = await createUpscaler();
const app = express();

app.post('/enlarge', async (request, response) => {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    const options = { scale: 2, format: 'webp', signal: gone.signal };
    const { data, info } = await upscaler.upscale(request, options);
    response.set('X-Model', info.models.join(', ')).type('webp').send(Buffer.from(data));
  } catch (error) {
    if (gone.signal.aborted) return;
    const known = error instanceof CrispenError;
    response.status(known ? 422 : 500).json({ code: known ? error.code : 'INTERNAL' });
  }
});

const server = app.listen(Number(process.argv[2] ?? 8080), () => {
  console.log(`http://localhost:${server.address().port}`);
});
process.on('SIGTERM', async () => {
  server.close();
  await upscaler.close();
});

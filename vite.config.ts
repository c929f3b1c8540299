import { defineConfig } from 'vite';

/** The site: index.html and demo/, with relative URLs, so that any folder of any host can serve it. */
export default defineConfig({
  base: './',
  publicDir: 'public',
  build: { outDir: 'dist/site', target: 'es2023' },
  worker: { format: 'es' },
});

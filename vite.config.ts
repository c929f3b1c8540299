import { defineConfig } from 'vite';
import { offline } from './scripts/offline.mjs';
import { bareShaders } from './scripts/shaders.mjs';

/**
 * The site: index.html and demo/, bench.html and docs.html as separate pages. URLs are relative, so
 * any folder of any host can serve it.
 */
export default defineConfig({
  base: './',
  publicDir: 'public',
  build: {
    outDir: 'dist/site',
    target: 'es2023',
    rolldownOptions: { input: ['index.html', 'bench.html', 'docs.html'] },
  },
  plugins: [bareShaders(), offline()],
  worker: { format: 'es', plugins: () => [bareShaders()] },
});

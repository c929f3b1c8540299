import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer, type Plugin } from 'vite';

/**
 * A host name that the tests' browsers resolve to this machine. Over plain HTTP, it is an insecure
 * context.
 */
export const INSECURE_HOST = 'insecure.test';

/** Maps the paths of test pages to the module that each page loads. */
const MODULES = new Map([
  ['/bare', '/e2e/page.ts'],
  ['/element', '/e2e/element-page.ts'],
  ['/preview', '/e2e/preview-page.ts'],
]);
const barePageWith = (module: string) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Bare page</title><link rel="icon" href="data:,">
<script type="module" src="${module}"></script></html>`;

const barePage = (headers: Readonly<Record<string, string>>): Plugin => ({
  name: 'bare-page',
  configureServer(server) {
    server.middlewares.use((request, response, next) => {
      const module = MODULES.get((request.url ?? '').split('?')[0] as string);
      if (module === undefined) return next();
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.setHeader('content-type', 'text/html').end(barePageWith(module));
    });
  },
});

export interface Served {
  /** The URL, with a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

/** These headers make pages cross-origin isolated. */
export const ISOLATING = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/**
 * Serves the sources and the pages in `MODULES` through Vite's development server.
 * @param policy the Content-Security-Policy for all responses, including workers
 * @param others further headers for all responses
 */
export async function serveSources(
  policy?: string,
  others: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const headers = {
    ...others,
    ...(policy !== undefined && { 'Content-Security-Policy': policy }),
  };
  const server = await createServer({
    configFile: false,
    logLevel: 'error',
    plugins: [barePage(headers)],
    // If Vite bundled a dependency on first use, it would reload the page during a test.
    optimizeDeps: { noDiscovery: true, include: [] },
    server: {
      host: '127.0.0.1',
      port: 0,
      hmr: false,
      ws: false,
      watch: null,
      allowedHosts: [INSECURE_HOST],
      headers,
    },
  });
  await server.listen();
  const [url] = server.resolvedUrls?.local ?? [];
  return { url, close: () => server.close() };
}

/** Starts a server on another port, which is therefore another origin. */
export async function serveForeign(listener: RequestListener): Promise<Served> {
  const server = createHttpServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}/`, close };
}

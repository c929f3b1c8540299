import { existsSync } from 'node:fs';
import { build, type PreviewServer, preview } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of the built site, with a slash at the end. */
    siteUrl: string;
  }
}

/**
 * Before the browser tests, builds the site and serves it on a free port, as a static host does.
 * Tests get the URL from `inject('siteUrl')`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await build({ logLevel: 'warn' });
  const server: PreviewServer = await preview({
    preview: { host: '127.0.0.1', port: 0 },
    logLevel: 'warn',
  });
  const url = server.resolvedUrls?.local[0];
  if (!url || !existsSync('dist/site/index.html')) throw new Error('The site could not be served.');
  project.provide('siteUrl', url);
  return () => server.close();
}

/** Supports Trusted Types, for pages with the directive `require-trusted-types-for 'script'`. */

interface ScriptPolicy {
  createScriptURL(url: string): object;
}
interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { readonly createScriptURL: (url: string) => string },
  ): ScriptPolicy;
}

let policy: ScriptPolicy | null | undefined;

/**
 * Returns the URL of one of Crispen's own scripts in a form that the page accepts. The Trusted
 * Types policy `crispen` converts the URL to a trusted one. A page can allow this policy with the
 * directive `trusted-types crispen`.
 */
export function trustedUrl(url: string | URL): string {
  policy ??= makePolicy();
  // The `Worker` constructor accepts trusted URLs as well as strings.
  return policy ? (policy.createScriptURL(String(url)) as unknown as string) : String(url);
}

function makePolicy(): ScriptPolicy | null {
  const { trustedTypes } = globalThis as { trustedTypes?: PolicyFactory };
  try {
    return trustedTypes?.createPolicy('crispen', { createScriptURL: (url) => url }) ?? null;
  } catch {
    // The page forbids the policy's name, or another copy of Crispen already uses it. The URL
    // then stays a string, which the page's default policy might still accept.
    return null;
  }
}

/**
 * Runs `make`, which creates a worker from a plain URL. While `make` runs, the `Worker` constructor
 * makes that URL trusted. Bundlers recognise only `new Worker(new URL(…))`, so `make` cannot call
 * `trustedUrl` itself.
 */
export function withTrustedWorkers(make: () => Worker): Worker {
  if (!('trustedTypes' in globalThis)) return make();
  const Native = globalThis.Worker;
  class TrustedWorker extends Native {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(trustedUrl(url), options);
    }
  }
  globalThis.Worker = TrustedWorker;
  try {
    return make();
  } finally {
    globalThis.Worker = Native;
  }
}

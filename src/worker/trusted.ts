/** Trusted Types, for pages whose policy says `require-trusted-types-for 'script'`. */

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
 * The URL of one of Crispen's own scripts in the form that the page's policy demands: trusted by the policy
 * `crispen`, which the page can allow by `trusted-types crispen`.
 */
export function trustedUrl(url: string | URL): string {
  policy ??= makePolicy();
  // A Worker takes both.
  return policy ? (policy.createScriptURL(String(url)) as unknown as string) : String(url);
}

function makePolicy(): ScriptPolicy | null {
  const { trustedTypes } = globalThis as { trustedTypes?: PolicyFactory };
  try {
    return trustedTypes?.createPolicy('crispen', { createScriptURL: (url) => url }) ?? null;
  } catch {
    // The page does not allow the name, or another copy of Crispen has it. The page may have a default policy.
    return null;
  }
}

/**
 * Runs a function that makes a worker with a plain URL. Bundlers only know `new Worker(new URL(…))`, so
 * the URL cannot be wrapped there.
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

/**
 * The few platform globals that the code listed in `tsconfig.core.json` uses. Pages, workers and
 * Node all provide them. That code is compiled with this file instead of the DOM library, so it
 * cannot use any other globals.
 */
interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
}

declare const performance: { now(): number };

declare function setTimeout(callback: () => void, milliseconds: number): unknown;

declare function setInterval(callback: () => void, milliseconds: number): number;

declare function clearInterval(timer: number): void;

declare const TextEncoder: new () => { encode(text: string): Uint8Array };

declare const TextDecoder: new (
  label: 'utf-8' | 'latin1',
  options: { fatal: boolean; ignoreBOM?: boolean },
) => { decode(bytes: Uint8Array): string };

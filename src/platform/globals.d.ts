/**
 * The few platform globals that the core uses. Pages, workers and Node all have them. The core
 * compiles against this file instead of the DOM library, which keeps other globals out.
 */
interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
}

declare const performance: { now(): number };

declare function setTimeout(callback: () => void, milliseconds: number): unknown;

declare function setInterval(callback: () => void, milliseconds: number): number;

declare function clearInterval(timer: number): void;

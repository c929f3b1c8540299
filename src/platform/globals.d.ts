/**
 * The few platform globals that the core uses, which pages, workers and Node all have. The core
 * compiles against this file instead of the DOM library, so that nothing else creeps in.
 */
interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
}

declare const performance: { now(): number };

declare function setTimeout(callback: () => void, milliseconds: number): unknown;

declare function setInterval(callback: () => void, milliseconds: number): number;

declare function clearInterval(timer: number): void;

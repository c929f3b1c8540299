/**
 * If the GPU does not respond for this many milliseconds, it is considered hung. The limit is high,
 * because a GPU can be slow without being faulty. Tests lower it.
 */
export const DEFAULT_PATIENCE = { ms: 60_000 };
/** Browsers slow down hidden pages, so waits there may take this many times as long. */
const HIDDEN_FACTOR = 10;
const TICKS = 20;
const LONGEST_TICK_MS = 1000;
/** The speed, in multiply-adds per millisecond, of the slowest GPU that Crispen waits for. */
const SLOWEST_RATE = 1e5;

interface Wait {
  readonly what: string;
  readonly work: number;
  readonly isCompiling: boolean;
}

export interface Patience {
  /** How long to wait for the GPU, in milliseconds. The default is `DEFAULT_PATIENCE`. */
  readonly patienceMs?: number | undefined;
  /** Returns whether the page is hidden. In a hidden page, the watchdog waits ten times as long. */
  readonly isHidden?: (() => boolean) | undefined;
}

/**
 * Watches all waits for one GPU. When a wait ends, the GPU has evidently responded, so the elapsed
 * time is reset to 0. The elapsed time is counted in timer ticks, not calculated from clock
 * readings. A period in which the machine sleeps or the thread is busy therefore counts as at most
 * one tick.
 */
export class Watchdog {
  readonly #patienceMs: number;
  readonly #isHidden: () => boolean;
  readonly #onHang: (what: string) => void;
  readonly #waits = new Map<symbol, Wait>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #waited = 0;
  #wasHidden = false;

  /** @param onHang is called when the GPU has not answered for too long */
  constructor(
    { patienceMs = DEFAULT_PATIENCE.ms, isHidden = () => false }: Patience,
    onHang: (what: string) => void,
  ) {
    this.#patienceMs = patienceMs;
    this.#isHidden = isHidden;
    this.#onHang = onHang;
  }

  /**
   * Returns `promise`, and calls `onHang` if the GPU stops responding before the promise settles.
   * @param what describes the awaited work; it is passed to `onHang`
   * @param work the number of submitted multiply-adds
   * @param isCompiling whether the driver is compiling, which can take a minute for one kernel
   */
  watch<T>(what: string, promise: Promise<T>, work = 0, isCompiling = false): Promise<T> {
    const wait = Symbol(what);
    this.#waits.set(wait, { what, work, isCompiling });
    this.#start();
    const end = () => {
      this.#waits.delete(wait);
      this.#waited = 0;
      if (this.#waits.size === 0) this.stop();
    };
    promise.then(end, end);
    return promise;
  }

  stop(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    this.#timer = undefined;
    this.#waited = 0;
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    const tick = Math.min(LONGEST_TICK_MS, this.#patienceMs / TICKS);
    this.#timer = setInterval(() => this.#tick(tick), tick);
  }

  #tick(ms: number): void {
    const hidden = this.#isHidden();
    if (this.#wasHidden && !hidden) this.#waited = 0;
    this.#wasHidden = hidden;
    this.#waited += ms;
    let patience = this.#patienceMs;
    for (const { work, isCompiling } of this.#waits.values()) {
      patience += work / SLOWEST_RATE + (isCompiling ? this.#patienceMs : 0);
    }
    if (this.#waited < patience * (hidden ? HIDDEN_FACTOR : 1)) return;
    const [{ what }] = this.#waits.values();
    this.stop();
    this.#waits.clear();
    this.#onHang(what);
  }
}

/**
 * Waits for a GPU adapter or a GPU device, but no longer than `patience` allows.
 * @param late receives a value that arrives too late
 * @throws Error if the promise does not settle in time
 */
export function within<T>(
  patience: Patience,
  promise: Promise<T>,
  late: (value: NonNullable<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const watchdog = new Watchdog(patience, () => {
      isLate = true;
      reject(new Error('no answer'));
    });
    watchdog.watch('', promise).then((value) => {
      if (!isLate) resolve(value);
      else if (value) late(value);
    }, reject);
  });
}

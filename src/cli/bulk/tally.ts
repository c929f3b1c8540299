import { timeLeft } from '../../engine/progress.ts';
import type { CrispenError } from '../../errors.ts';
import type { lineOf } from '../line.ts';
import { clearProgress } from '../settings.ts';
import type { Item } from './inputs.ts';
import { show, type Work } from './plan.ts';

/**
 * Counts a run's images and prints its progress, either as readable text or as one JSON line per
 * image.
 */
export class Tally {
  readonly #pictures: number;
  readonly #json: boolean;
  readonly #started = performance.now();
  #made = 0;
  #already = 0;
  #others = 0;
  #megapixels = 0;
  readonly #codes = new Map<string, number>();

  constructor(pictures: number, json: boolean) {
    this.#pictures = pictures;
    this.#json = json;
  }

  get failed(): number {
    return [...this.#codes.values()].reduce((a, b) => a + b, 0);
  }

  made({ relative, output }: Work, line: ReturnType<typeof lineOf>): void {
    this.#made++;
    const [width, height] = line.output;
    this.#megapixels += (line.input[0] * line.input[1]) / 1e6;
    if (this.#json) this.#say(JSON.stringify({ file: relative, to: output, ...line }));
    else {
      const seconds = (line.milliseconds / 1000).toFixed(1);
      this.#say(`${show(output)}: ${width} x ${height}, ${seconds} s`);
      for (const note of line.notes) this.#say(`  ${note}`);
    }
    this.#progress();
  }

  /** Counts an image that an earlier run has already processed. */
  already(): void {
    this.#already++;
    this.#progress();
  }

  fail({ path, relative }: Work, { code, message, hint }: CrispenError): void {
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
    if (this.#json) this.#say(JSON.stringify({ file: relative, code, message, hint }));
    else {
      clearProgress();
      console.error(`${show(path)}: ${code}: ${message}${hint ? ` ${hint}` : ''}`);
    }
    this.#progress();
  }

  /** Counts a file that is not an image. */
  other({ relative }: Item): void {
    this.#others++;
    if (this.#json) this.#say(JSON.stringify({ file: relative, skipped: 'no picture' }));
  }

  end({
    seconds,
    engineMs,
    pipelines,
    closed,
  }: {
    readonly seconds: number;
    /** The time during which networks ran, in milliseconds. */
    readonly engineMs: number;
    /** The number of pipelines that were compiled for GPUs. */
    readonly pipelines: number;
    /** The number of folders that were skipped because `--recursive` was not given. */
    readonly closed: number;
  }): void {
    clearProgress();
    const { failed } = this;
    if (this.#json) {
      console.log(
        JSON.stringify({
          pictures: this.#pictures,
          made: this.#made,
          already: this.#already,
          failed,
          codes: Object.fromEntries(this.#codes),
          noPicture: this.#others,
          foldersNotEntered: closed,
          megapixels: Math.round(this.#megapixels * 1000) / 1000,
          seconds: Math.round(seconds * 100) / 100,
          engineSeconds: Math.round(engineMs / 10) / 100,
          engineShare: Math.round(engineMs / seconds) / 1000,
          pipelines,
          // This is the process's peak memory use, which Node reports in KiB.
          peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1024),
        }),
      );
      return;
    }
    const counts = [
      `${this.#made} made`,
      ...(this.#already ? [`${this.#already} already there`] : []),
      ...(failed ? [`${failed} failed`] : []),
      ...(this.#others ? [`${this.#others} no pictures`] : []),
    ];
    console.log(`${counts.join(', ')}, in ${seconds.toFixed(1)} s`);
    for (const [code, count] of this.#codes) console.log(`  ${code}: ${count}`);
  }

  #say(line: string): void {
    clearProgress();
    console.log(line);
  }

  #progress(): void {
    if (!process.stderr.isTTY) return;
    const done = this.#made + this.#already + this.failed;
    const seconds = (performance.now() - this.#started) / 1000;
    const computed = this.#made + this.failed;
    const left = computed === 0 ? null : ((this.#pictures - done) / computed) * seconds * 1000;
    const rate = `${(computed / seconds).toFixed(1)} pictures/s, ${(this.#megapixels / seconds).toFixed(2)} MP/s`;
    const time = timeLeft(left);
    process.stderr.write(`\r\x1b[K${done} of ${this.#pictures}, ${rate}${time && `, ${time}`}`);
  }
}

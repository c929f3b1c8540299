/**
 * Formats text and numbers for display. The functions depend only on their arguments and the
 * language.
 */
import { rounded } from '../src/engine/progress.ts';
import { t } from './texts/texts.ts';

/** Formats a size in pixels: `902 × 600`. */
export function dimensions(width: number, height: number): string {
  return `${width} × ${height}`;
}

/** Formats a duration: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`. */
export function duration(milliseconds: number): string {
  const { time } = t;
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return time.seconds(Math.max(0.1, seconds).toFixed(1));
  if (seconds < 59.5) return time.seconds(Math.round(seconds));
  const whole = Math.round(seconds);
  const both = (large: string, rest: number, small: (n: number) => string) =>
    rest === 0 ? large : `${large} ${small(rest)}`;
  if (whole < 3600) return both(time.minutes(Math.floor(whole / 60)), whole % 60, time.seconds);
  const minutes = Math.round(seconds / 60);
  return both(time.hours(Math.floor(minutes / 60)), minutes % 60, time.minutes);
}

/** Formats an estimate: `about 40 s`. */
export function roughly(milliseconds: number): string {
  const [n, unit] = rounded(milliseconds);
  const words = { s: t.time.seconds, min: t.time.minutes, h: t.time.hours };
  return t.time.about(words[unit](n));
}

/** Formats the remaining time of a job. Empty while it is unknown. */
export function timeLeft(milliseconds: number | null): string {
  if (milliseconds === null) return '';
  return milliseconds < 1000 ? t.time.moment : t.time.left(roughly(milliseconds));
}

/** Formats a number of megapixels: `0.5`, `12`. */
export function megapixels(width: number, height: number): string {
  const value = (width * height) / 1e6;
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

/** Formats a PSNR value without its unit. For equal pictures, the PSNR is infinite. */
export const decibels = (psnr: number): string => (Number.isFinite(psnr) ? psnr.toFixed(2) : '∞');

/** Formats a file size: `0.4 MB`, `12 MB`, `320 KB`. */
export function fileSize(bytes: number): string {
  if (bytes < 999_500) return `${Math.max(1, Math.round(bytes / 1000))} KB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}

/** The values that a file name pattern can contain. */
export interface NameParts {
  /** The source's name, without folder and extension. */
  readonly name: string;
  /** The enlargement as text, such as `@2x`. */
  readonly size: string;
  readonly model: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Fills in a pattern such as `{name} {width}x{height}`. Characters that file systems forbid become
 * `-`.
 */
export function patternName(pattern: string, parts: NameParts, extension: string): string {
  const known: Readonly<Record<string, string | number>> = { ...parts };
  const filled = pattern
    .replace(/\{(\w+)\}/g, (all, key) => String(Object.hasOwn(known, key) ? known[key] : all))
    .replace(/[<>:"/\\|?*]/g, '-')
    .replace(/\p{Cc}/gu, '')
    .trim()
    .replace(/^\.+|\.+$/g, '');
  return filled === '' ? resultName(parts.name, parts.size, extension) : `${filled}.${extension}`;
}

/**
 * Returns the file name to save under. If `cat.jpg` is enlarged by 2 (`@2x`) and saved as PNG, the
 * name is `cat@2x.png`.
 */
export function resultName(sourceName: string, what: string, extension: string): string {
  const base = baseName(sourceName);
  return `${base === '' ? 'picture' : base}${what}.${extension}`;
}

/** Returns a file's name without folder and extension. */
export const baseName = (name: string): string =>
  withoutFolder(name)
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .trim();

export const withoutFolder = (name: string): string => name.replace(/^.*[/\\]/, '');

/** Makes names unique: a second `cat.png` becomes `cat (2).png`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const [, base, extension] = /^(.*?)(\.[^.]*)?$/.exec(name) ?? ['', name, ''];
    let distinct = name;
    // The comparison ignores case, because some file systems do.
    for (let i = 2; taken.has(distinct.toLowerCase()); i++) {
      distinct = `${base} (${i})${extension ?? ''}`;
    }
    taken.add(distinct.toLowerCase());
    return distinct;
  });
}

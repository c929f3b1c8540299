/** Text and numbers for people. Pure functions. */
export { roughly, timeLeft } from '../src/engine/progress.ts';

/** `902 × 600`, in pixels. */
export function dimensions(width: number, height: number): string {
  return `${width} × ${height}`;
}

/** A duration: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) {
    const rest = whole % 60;
    return rest === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${rest} s`;
  }
  const minutes = Math.round(seconds / 60);
  const rest = minutes % 60;
  return rest === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${rest} min`;
}

/** Megapixels: `0.5`, `12`. */
export function megapixels(width: number, height: number): string {
  const value = (width * height) / 1e6;
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

/** The name for saving: `cat.jpg`, enlarged twice (`@2x`), as PNG is `cat@2x.png`. */
export function resultName(sourceName: string, what: string, extension: string): string {
  const base = sourceName
    .replace(/^.*[/\\]/, '')
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .trim();
  return `${base === '' ? 'picture' : base}${what}.${extension}`;
}

/** Makes names unique: a second `cat.png` becomes `cat (2).png`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const [, base, extension] = /^(.*?)(\.[^.]*)?$/.exec(name) ?? ['', name, ''];
    let distinct = name;
    // Some file systems ignore case.
    for (let i = 2; taken.has(distinct.toLowerCase()); i++) {
      distinct = `${base} (${i})${extension ?? ''}`;
    }
    taken.add(distinct.toLowerCase());
    return distinct;
  });
}

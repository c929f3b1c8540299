import type { Texts } from './en.ts';

export const de: Texts = {
  page: {
    title: 'Crispen: Wie schnell ist diese Grafikkarte?',
    description: 'Misst die Kernel von Crispen auf Ihrer eigenen Grafikkarte.',
    links: 'Seiten',
    demo: 'Demo',
    docs: 'Anleitung',
    bench: 'Messung',
    howFast: 'Wie schnell ist diese Grafikkarte?',
    intro:
      'Diese Seite vergrößert einen Ausschnitt eines Fotos mit dem Netz A2N auf das Doppelte: mit fusionierten Kerneln, mit einzelnen und mit halber Genauigkeit. Zuerst vergleicht sie die Ergebnisse. Nichts wird hochgeladen.',
    picture: 'Bild',
    repeats: 'Wiederholungen',
    measure: 'Messen',
    progress: 'Fortschritt',
    cancel: 'Abbrechen',
    results: 'Ergebnisse',
    times: 'Zeit für ein Bild',
    timesNote: 'Der Median aller Durchläufe. Kürzer ist schneller.',
    shares: 'Anteile an der Spitzenleistung',
    figures: 'Alle Zahlen',
    report: 'Bericht',
    reportNote:
      'Kopieren Sie diesen Text in ein Issue. Er nennt das Gerät und alle Zahlen, auf Englisch.',
    copy: 'Kopieren',
    licence: 'Lizenz',
    thirdParty: 'Software von Dritten',
    language: 'Sprache',
  },

  copied: 'Kopiert',
  selected: 'Markiert',

  engines: {
    'crispen-fused': 'Fusionierte Kernel',
    'crispen-unfused': 'Ein Kernel pro Operation',
    'crispen-f16': 'Fusioniert, halbe Genauigkeit',
  },

  status: {
    ready: 'Bereit.',
    noAdapter: 'Dieser Browser bietet über WebGPU keine GPU an; es gibt also nichts zu messen.',
    measuring: (stage) => `Wird gemessen: ${stage}…`,
    done: 'Fertig.',
    cancelled: 'Abgebrochen.',
    failed: (message) => `Das hat nicht geklappt: ${message}`,
  },
  stages: {
    ceilings: 'Spitzenleistung der GPU',
    reference: 'Ergebnis, mit dem alle verglichen werden',
    first: 'erster Durchlauf',
    run: (n, of) => `Durchlauf ${n} von ${of}`,
    at: (size, engine, stage) => `${size}, ${engine}, ${stage}`,
  },
  adapter: (name) => `GPU: ${name}`,
  softwareAdapter: (name) =>
    `GPU: ${name}. Das ist ein Software-Renderer; die Messung dauert Minuten.`,

  milliseconds: (n) => `${n} ms`,
  seconds: (n) => `${n} s`,
  summary: (width, height, time, megapixels) =>
    `${width} × ${height} Pixel in ${time}: ${megapixels} Megapixel pro Sekunde`,
  notMeasured: (why) => `Nicht gemessen: ${why}`,
  noHalf: 'Diese GPU kennt keine halbe Genauigkeit (f16)',
  unknown: 'Grund unbekannt',
  multiplyAdds: (engine) => `${engine}, Rechenleistung`,
  memory: (engine) => `${engine}, Speicher`,
  peak: 'Wie viel der gemessenen Spitzenleistung dieser GPU jede Variante erreicht.',
  peakWithoutHalf:
    'Wie viel der gemessenen Spitzenleistung dieser GPU jede Variante erreicht. Diese GPU kennt keine halbe Genauigkeit.',
  columns: [
    'Variante',
    'Threads',
    'Größe',
    'Median, ms',
    'erster Durchlauf, ms',
    'Faktor',
    'GPU, MiB',
    'Dispatches',
    'größte Abweichung',
    'GFLOP/s pro Thread',
    'Anteil Rechenleistung',
    'Anteil Bandbreite',
  ],
};

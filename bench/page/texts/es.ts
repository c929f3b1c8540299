import type { Texts } from './en.ts';

export const es: Texts = {
  page: {
    title: 'Crispen: ¿qué velocidad tiene esta tarjeta gráfica?',
    description: 'Mide los kernels de Crispen en tu propia tarjeta gráfica.',
    links: 'Páginas',
    demo: 'Demo',
    docs: 'Documentación',
    bench: 'Rendimiento',
    howFast: '¿Qué velocidad tiene esta tarjeta gráfica?',
    intro:
      'Esta página amplía al doble una parte de una foto con la red A2N: con los kernels de Crispen fusionados, sin fusionar y con media precisión. Primero compara los resultados. No se sube nada.',
    picture: 'Imagen',
    repeats: 'Repeticiones',
    measure: 'Medir',
    progress: 'Progreso',
    cancel: 'Cancelar',
    results: 'Resultados',
    times: 'Tiempo por imagen',
    timesNote: 'La mediana de todas las pasadas. Más corto es más rápido.',
    shares: 'Porcentajes del máximo',
    figures: 'Todas las cifras',
    report: 'Informe',
    reportNote:
      'Copia este texto en una incidencia (issue). Incluye el equipo y todas las cifras, en inglés.',
    copy: 'Copiar',
    licence: 'Licencia',
    thirdParty: 'Software de terceros',
    language: 'Idioma',
  },

  copied: 'Copiado',
  selected: 'Seleccionado',

  engines: {
    'crispen-fused': 'Kernels fusionados',
    'crispen-unfused': 'Un kernel por operación',
    'crispen-f16': 'Fusionados, media precisión',
  },

  status: {
    ready: 'Todo listo.',
    noAdapter:
      'Este navegador no ofrece ninguna GPU mediante WebGPU, así que no hay nada que medir.',
    measuring: (stage) => `Midiendo: ${stage}…`,
    done: 'Listo.',
    cancelled: 'Cancelado.',
    failed: (message) => `No ha funcionado: ${message}`,
  },
  stages: {
    ceilings: 'rendimiento máximo de la GPU',
    reference: 'resultado con el que se comparan todos',
    first: 'primera pasada',
    run: (n, of) => `pasada ${n} de ${of}`,
    at: (size, engine, stage) => `${size}, ${engine}, ${stage}`,
  },
  adapter: (name) => `GPU: ${name}`,
  softwareAdapter: (name) => `GPU: ${name}. Es un renderizador por software, que tarda minutos.`,

  milliseconds: (n) => `${n} ms`,
  seconds: (n) => `${n} s`,
  summary: (width, height, time, megapixels) =>
    `${width} × ${height} píxeles en ${time}: ${megapixels} megapíxeles por segundo`,
  notMeasured: (why) => `Sin medir: ${why}`,
  noHalf: 'esta GPU no admite media precisión (f16)',
  unknown: 'motivo desconocido',
  multiplyAdds: (engine) => `${engine}, cálculo`,
  memory: (engine) => `${engine}, memoria`,
  peak: 'Cuánto alcanza cada variante del máximo medido en esta GPU.',
  peakWithoutHalf:
    'Cuánto alcanza cada variante del máximo medido en esta GPU. Esta GPU no admite media precisión.',
  columns: [
    'variante',
    'hilos',
    'tamaño',
    'mediana, ms',
    'primera pasada, ms',
    'factor',
    'GPU, MiB',
    'dispatches',
    'diferencia máxima',
    'GFLOP/s por hilo',
    '% de cálculo',
    '% de ancho de banda',
  ],
};

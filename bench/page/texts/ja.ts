import type { Texts } from './en.ts';

export const ja: Texts = {
  page: {
    title: 'Crispen：このグラフィックカードの速さは？',
    description: 'Crispen のカーネルの速さを、お使いのグラフィックカードで測定します。',
    links: 'ページ',
    demo: 'デモ',
    docs: 'ドキュメント',
    bench: '速度測定',
    howFast: 'このグラフィックカードの速さは？',
    intro:
      'このページは、写真の一部を A2N というネットワークで 2 倍に拡大し、Crispen のカーネルを融合した場合、融合しない場合、半精度の場合の速さを測ります。先に結果どうしを比較します。画像は送信されません。',
    picture: '画像',
    repeats: '繰り返し',
    measure: '測定する',
    progress: '進み具合',
    cancel: '中止',
    results: '結果',
    times: '画像 1 枚の時間',
    timesNote: 'すべての実行の中央値です。短いほど高速です。',
    shares: 'ピーク性能に対する割合',
    figures: 'すべての数値',
    report: 'レポート',
    reportNote:
      'このテキストを issue に貼り付けてください。機器とすべての数値が英語で書かれています。',
    copy: 'コピー',
    licence: 'ライセンス',
    thirdParty: '第三者のソフトウェア',
    language: '言語',
  },

  copied: 'コピー済み',
  selected: '選択済み',

  engines: {
    'crispen-fused': '融合したカーネル',
    'crispen-unfused': '演算ごとのカーネル',
    'crispen-f16': '融合、半精度',
  },

  status: {
    ready: '測定できます。',
    noAdapter: 'このブラウザーは WebGPU で GPU を提供していないため、測定できません。',
    measuring: (stage) => `測定中：${stage}…`,
    done: '完了しました。',
    cancelled: '中止しました。',
    failed: (message) => `うまくいきませんでした：${message}`,
  },
  stages: {
    ceilings: 'GPU のピーク性能',
    reference: '比較の基準となる結果',
    first: '1 回目の実行',
    run: (n, of) => `測定 ${n}/${of}`,
    at: (size, engine, stage) => `${size}、${engine}、${stage}`,
  },
  adapter: (name) => `GPU：${name}`,
  softwareAdapter: (name) => `GPU：${name}。ソフトウェア描画のため、数分かかります。`,

  milliseconds: (n) => `${n} ミリ秒`,
  seconds: (n) => `${n} 秒`,
  summary: (width, height, time, megapixels) =>
    `${width} × ${height} ピクセルを ${time}で処理：毎秒 ${megapixels} メガピクセル`,
  notMeasured: (why) => `測定なし：${why}`,
  noHalf: 'この GPU は半精度（f16）に対応していません',
  unknown: '理由不明',
  multiplyAdds: (engine) => `${engine}、積和演算`,
  memory: (engine) => `${engine}、メモリー`,
  peak: 'この GPU で測定したピーク性能に対して、それぞれが達した割合です。',
  peakWithoutHalf:
    'この GPU で測定したピーク性能に対して、それぞれが達した割合です。この GPU は半精度に対応していません。',
  columns: [
    '方式',
    'スレッド',
    'サイズ',
    '中央値（ミリ秒）',
    '1 回目（ミリ秒）',
    '比',
    'GPU（MiB）',
    'ディスパッチ',
    '最大の差',
    'スレッドあたりの GFLOP/s',
    '積和演算の割合',
    '帯域幅の割合',
  ],
};

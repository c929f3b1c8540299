// The convolution of conv.wgsl, 3x3 (SIDE 3) or 1x1 (SIDE 1), as products of subgroup matrices
// (chromium_experimental_subgroup_matrix):
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-r, x+kx-r] + b[o] ) * m * factor + r ),
//   r = SIDE / 2
// Bindings and epilogue are those of conv/store.wgsl. Maps and weights are f16, sums are f32.
//   weights [chunks][taps][COLUMNS_ALL][K][N]: a chunk is K input channels, a column of blocks is N output
//           channels; both are padded with zeros
//
// A left matrix holds K channels of M neighbouring pixels. A right matrix holds the taps from K
// input to N output channels. Workgroup SUBGROUP x SUBGROUPS x 1. Each subgroup sums ROWS rows of
// 16 pixels for COLUMNS columns of N channels, so a workgroup covers 16 x (SUBGROUPS * ROWS)
// pixels; grid z = COLUMNS columns. For each chunk, the workgroup copies its pixels and their halo
// to workgroup memory, channels innermost. Every tap is then a matrix at another offset. Sums also
// leave through workgroup memory, because the mapping of matrix elements to invocations is
// implementation-defined.
// Prelude: E, E4, SIDE, UPSAMPLE, M, N, K (M divides 16, N and K are multiples of 4), SUBGROUP (its
// exact size), SUBGROUPS, ROWS, COLUMNS.

#import conv/store

@group(0) @binding(2) var<storage, read> weights: array<E>;

const_assert SIDE == 1u || SIDE == 3u;
const_assert 16u % M == 0u && N % 4u == 0u && K % 4u == 0u;

const TAPS = SIDE * SIDE;
const REACH = SIDE / 2u;
const RUNS = 16u / M;
const SPAN = 16u + 2u * REACH;
const SPAN_ROWS = SUBGROUPS * ROWS + 2u * REACH;
const BLOCKS_OF_K = K / 4u;
const SUMS = COLUMNS * ROWS * RUNS;

alias Left = subgroup_matrix_left<E, K, M>;
alias Right = subgroup_matrix_right<E, N, K>;
alias Sums = subgroup_matrix_result<f32, N, M>;

var<workgroup> pixels: array<E, SPAN * SPAN_ROWS * K>;
var<workgroup> leaving: array<f32, SUBGROUPS * M * N>;

@compute @workgroup_size(SUBGROUP, SUBGROUPS, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let left = group.x * 16u;
  let top = (group.y + params.group_row) * SUBGROUPS * ROWS;
  let columns_all = (params.out_blocks * 4u + N - 1u) / N;
  let column = group.z * COLUMNS;
  let chunks = (params.in_blocks + BLOCKS_OF_K - 1u) / BLOCKS_OF_K;
  let w = params.width / UPSAMPLE;
  let plane = w * (params.height / UPSAMPLE);

  var sums: array<Sums, SUMS>;
  for (var chunk = 0u; chunk < chunks; chunk++) {
    workgroupBarrier();
    for (var at = index; at < SPAN * SPAN_ROWS * BLOCKS_OF_K; at += SUBGROUP * SUBGROUPS) {
      let block = chunk * BLOCKS_OF_K + at % BLOCKS_OF_K;
      let pixel = at / BLOCKS_OF_K;
      // Unsigned: positions before the first row or column wrap to beyond the last.
      let row = top + pixel / SPAN - REACH;
      let col = left + pixel % SPAN - REACH;
      let inside = row < params.height && col < params.width && block < params.in_blocks;
      let source = select(0u, block * plane + row / UPSAMPLE * w + col / UPSAMPLE, inside);
      let v = select(E4(), x[source], inside);
      pixels[at * 4u] = v.x;
      pixels[at * 4u + 1u] = v.y;
      pixels[at * 4u + 2u] = v.z;
      pixels[at * 4u + 3u] = v.w;
    }
    workgroupBarrier();
    for (var tap = 0u; tap < TAPS; tap++) {
      var lefts: array<Left, ROWS * RUNS>;
      for (var r = 0u; r < ROWS; r++) {
        let line = (local.y * ROWS + r + tap / SIDE) * SPAN + tap % SIDE;
        for (var run = 0u; run < RUNS; run++) {
          lefts[r * RUNS + run] = subgroupMatrixLoad<Left, row_major>(&pixels, (line + run * M) * K, K);
        }
      }
      for (var c = 0u; c < COLUMNS; c++) {
        // Columns beyond the last one read its weights and are not stored.
        let at = (chunk * TAPS + tap) * columns_all + min(column + c, columns_all - 1u);
        let right = subgroupMatrixLoad<Right, row_major>(&weights, at * K * N, N);
        for (var p = 0u; p < ROWS * RUNS; p++) {
          let s = c * ROWS * RUNS + p;
          sums[s] = subgroupMatrixMultiplyAccumulate(lefts[p], right, sums[s]);
        }
      }
    }
  }

  for (var s = 0u; s < SUMS; s++) {
    workgroupBarrier();
    subgroupMatrixStore<row_major>(&leaving, local.y * M * N, sums[s], N);
    workgroupBarrier();
    let p = s % (ROWS * RUNS);
    let row = top + local.y * ROWS + p / RUNS;
    for (var at = local.x; at < M * N / 4u; at += SUBGROUP) {
      let block = (column + s / (ROWS * RUNS)) * (N / 4u) + at % (N / 4u);
      let first = local.y * M * N + at * 4u;
      let sum = vec4f(leaving[first], leaving[first + 1u], leaving[first + 2u], leaving[first + 3u]);
      store_pixel(block, row, left + p % RUNS * M + at / (N / 4u), sum + bias_of(block));
    }
  }
}

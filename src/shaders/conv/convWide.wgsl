// Convolution as conv3x3.wgsl (SIDE 3) and conv1x1.wgsl (SIDE 1) have it, with BLOCKS blocks of output
// channels from each pixel that is loaded, for GPUs with registers to spare.
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-r, x+kx-r] + b[o] ) * m * factor + r ),  r = SIDE / 2
// Bindings and layouts as conv3x3.wgsl; sums are made in the same order.
//
// One invocation computes PIXELS neighbouring pixels of BLOCKS blocks. Workgroup 8 x 8 x 1, so 8 * PIXELS
// x 8 pixels; grid z = BLOCKS blocks. SHARED: the workgroup brings the matrices of one input block into
// its own memory together, instead of each invocation reading them from storage. No invocation returns
// early, since all have to meet there.
// Arrays are indexed by loops of constant length, which drivers of GPUs unroll into registers.
// Prelude: E, E4, E4x4, SIDE, PIXELS, BLOCKS, SHARED, UPSAMPLE; lib/convStore.wgsl.

#import lib/epilogue
#import conv/convStore

@group(0) @binding(2) var<storage, read> weights: array<E4x4>;

const_assert SIDE == 1u || SIDE == 3u;
const_assert UPSAMPLE > 0u;

const TAPS = SIDE * SIDE;
const REACH = i32(SIDE / 2u);
const COLUMNS = PIXELS + SIDE - 1u;
const MATRICES = BLOCKS * TAPS;
var<workgroup> shared_weights: array<E4x4, select(1u, MATRICES, SHARED)>;

// The index is clamped rather than branched around: software drivers take branches dearly.
fn read_x(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.width);
  return select(vec4f(0.0), vec4f(x[line + select(0u, u32(col) / UPSAMPLE, inside)]), inside);
}

// Blocks beyond the last read the last one's weights and are not stored.
fn matrix_index(block: u32, i: u32, tap: u32) -> u32 {
  return (min(block, params.out_blocks - 1u) * params.in_blocks + i) * TAPS + tap;
}

@compute @workgroup_size(8, 8, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let col = (group.x * 8u + local.x) * PIXELS;
  let row = (group.y + params.group_row) * 8u + local.y;
  let block = group.z * BLOCKS;
  let w = params.width / UPSAMPLE;
  let plane = w * (params.height / UPSAMPLE);

  // 1x1: the bias comes last, as in conv1x1.wgsl.
  var sums: array<vec4f, BLOCKS * PIXELS>;
  for (var b = 0u; b < BLOCKS; b++) {
    let first = select(vec4f(0.0), vec4f(bias[min(block + b, params.out_blocks - 1u)]), SIDE == 3u);
    for (var p = 0u; p < PIXELS; p++) {
      sums[b * PIXELS + p] = first;
    }
  }
  for (var i = 0u; i < params.in_blocks; i++) {
    if SHARED {
      workgroupBarrier();
      for (var at = index; at < MATRICES; at += 64u) {
        shared_weights[at] = weights[matrix_index(block + at / TAPS, i, at % TAPS)];
      }
      workgroupBarrier();
    }
    for (var ky = 0u; ky < SIDE; ky++) {
      let in_row = i32(row + ky) - REACH;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let line = i * plane + select(0u, u32(in_row) / UPSAMPLE, inside) * w;
      var v: array<vec4f, COLUMNS>;
      for (var c = 0u; c < COLUMNS; c++) {
        v[c] = read_x(line, i32(col + c) - REACH, inside);
      }
      for (var b = 0u; b < BLOCKS; b++) {
        for (var kx = 0u; kx < SIDE; kx++) {
          let tap = ky * SIDE + kx;
          var m: mat4x4f;
          if SHARED {
            m = mat4x4f(shared_weights[b * TAPS + tap]);
          } else {
            m = mat4x4f(weights[matrix_index(block + b, i, tap)]);
          }
          for (var p = 0u; p < PIXELS; p++) {
            sums[b * PIXELS + p] += m * v[p + kx];
          }
        }
      }
    }
  }

  for (var b = 0u; b < BLOCKS; b++) {
    let last = select(vec4f(bias[min(block + b, params.out_blocks - 1u)]), vec4f(0.0), SIDE == 3u);
    for (var p = 0u; p < PIXELS; p++) {
      store_pixel(block + b, row, col + p, sums[b * PIXELS + p] + last);
    }
  }
}

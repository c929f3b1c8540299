// The same convolution as in conv.wgsl, 3x3 (SIDE 3) or 1x1 (SIDE 1), computed with subgroup matrix
// products (chromium_experimental_subgroup_matrix):
//   y[o,i,j] = act1( act0( sum + b[o] ) * m * factor + r )
//   sum = sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i+ky-SIDE/2, j+kx-SIDE/2]
// Bindings and epilogue are those of conv/store.wgsl. Maps and weights are f16, and sums are f32.
//
// A left matrix contains K channels of M pixels in a row. A right matrix contains the taps from K
// input channels to N output channels. A subgroup computes COLUMNS columns of N output channels for
// 16 x 4 pixels, which are divided into FRAGMENTS fragments of M pixels. A workgroup of SUBGROUP x
// SUBGROUPS x 1 invocations covers 16 x (4 * SUBGROUPS) pixels. Each `z` of the grid covers COLUMNS
// columns. For each chunk of 4 * QUADS input channels, the workgroup copies its pixels and their
// halo to workgroup memory. There, channels are innermost, and each pixel has PITCH vectors.
// Together, these vectors take an odd multiple of 16 bytes, so that the rows of a matrix are in
// different banks. If there is no padding between pixels, the channels of the three pixels in a row
// of taps form one run, and RUNS is 1. A run has STEPS matrices of K channels. If REST channels
// remain, one matrix of REST channels follows.
//
//   weights [grid z][chunks][SIDE][RUNS][steps][COLUMNS][K or REST][N], in the order of use
// The prelude defines E, E4, SIDE, UPSAMPLE (0: the uniform's factor), M, N, K, REST (0: none),
// SUBGROUP (the exact subgroup size), SUBGROUPS, FRAGMENTS, COLUMNS, CHUNKS, QUADS, PITCH, RUNS,
// STEPS, GOES and GO_FRAGMENTS.

#import conv/store

@group(0) @binding(2) var<storage, read> weights: array<E>;

const REACH = SIDE / 2u;
const SPAN = 16u + 2u * REACH;
const SPAN_PIXELS = SPAN * (SUBGROUPS * 4u + 2u * REACH);
const STEP = COLUMNS * K * N;
const LAST_STEP = COLUMNS * REST * N;
// Sums are exchanged through workgroup memory, because the mapping of matrix elements to
// invocations is implementation-defined. The exchange takes GOES passes (1 or 2) of GO_FRAGMENTS
// fragments. One vector of padding per pixel avoids bank conflicts.
const GO_PIXELS = GO_FRAGMENTS * M;
const WIDE = COLUMNS * N / 4u + 1u;

alias Left = subgroup_matrix_left<E, K, M>;
alias Right = subgroup_matrix_right<E, N, K>;
#if REST
  alias LastLeft = subgroup_matrix_left<E, REST, M>;
  alias LastRight = subgroup_matrix_right<E, N, REST>;
#end
alias Sums = subgroup_matrix_result<f32, N, M>;

// A left matrix can extend past the last pixel. The weights for that part are zero.
var<workgroup> pixels: array<E4, SPAN_PIXELS * PITCH + K / 4u>;
var<workgroup> leaving: array<vec4f, SUBGROUPS * GO_PIXELS * WIDE>;

@compute @workgroup_size(SUBGROUP, SUBGROUPS, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let left = group.x * 16u;
  let top = (group.y + params.group_row) * SUBGROUPS * 4u;
  #if UPSAMPLE
    const upsample = UPSAMPLE;
  #else
    let upsample = params.upsample;
  #end
  let w = params.width / upsample;
  let plane = w * (params.height / upsample);

  #for f in 0..FRAGMENTS
    #for c in 0..COLUMNS
      var s{f}_{c}: Sums;
    #end
  #end
  var at = group.z * CHUNKS * SIDE * RUNS * (STEPS * STEP + LAST_STEP);
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    workgroupBarrier();
    for (var n = index; n < SPAN_PIXELS * QUADS; n += SUBGROUP * SUBGROUPS) {
      let quad = n / SPAN_PIXELS;
      let pixel = n % SPAN_PIXELS;
      let block = chunk * QUADS + quad;
      // Rows above the map and columns left of it wrap to huge numbers, so `inside` is false for
      // them.
      let row = top + pixel / SPAN - REACH;
      let col = left + pixel % SPAN - REACH;
      let inside = row < params.height && col < params.width && block < params.in_blocks;
      let source = select(0u, block * plane + row / upsample * w + col / upsample, inside);
      pixels[pixel * PITCH + quad] = select(E4(), x[source], inside);
    }
    workgroupBarrier();
    for (var ky = 0u; ky < SIDE; ky++) {
      for (var run = 0u; run < RUNS; run++) {
        let first = ((local.y * 4u + ky) * SPAN + run) * PITCH;
        for (var step = 0u; step < STEPS; step++) {
          #for c in 0..COLUMNS
            let r{c} = subgroupMatrixLoad<Right, row_major>(&weights, at + {c}u * K * N, N);
          #end
          at += STEP;
          #for f in 0..FRAGMENTS
            let l{f} = subgroupMatrixLoad<Left, row_major>(&pixels, first + ({f}u * M / 16u * SPAN + {f}u * M % 16u) * PITCH + step * K / 4u, PITCH);
            #for c in 0..COLUMNS
              s{f}_{c} = subgroupMatrixMultiplyAccumulate(l{f}, r{c}, s{f}_{c});
            #end
          #end
        }
        #if REST
          #for c in 0..COLUMNS
            let last_r{c} = subgroupMatrixLoad<LastRight, row_major>(&weights, at + {c}u * REST * N, N);
          #end
          at += LAST_STEP;
          #for f in 0..FRAGMENTS
            let last_l{f} = subgroupMatrixLoad<LastLeft, row_major>(&pixels, first + ({f}u * M / 16u * SPAN + {f}u * M % 16u) * PITCH + STEPS * K / 4u, PITCH);
            #for c in 0..COLUMNS
              s{f}_{c} = subgroupMatrixMultiplyAccumulate(last_l{f}, last_r{c}, s{f}_{c});
            #end
          #end
        #end
      }
    }
  }

  #if GOES-1
    #import conv/leave first=0 end=FRAGMENTS-GO_FRAGMENTS
  #end
  #import conv/leave first=FRAGMENTS-GO_FRAGMENTS end=FRAGMENTS
}

// The same convolution as in conv.wgsl, 3x3 (SIDE 3) or 1x1 (SIDE 1), computed with subgroup matrix
// products (chromium_experimental_subgroup_matrix):
//   y[o,i,j] = act1( act0( sum + b[o] ) * m * factor + r )
//   sum = sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i+ky-SIDE/2, j+kx-SIDE/2]
// The bindings and the epilogue are those in conv/store.wgsl. Maps and weights are f16, and sums
// are f32.
//
// A subgroup computes COLUMNS * N output channels of 16 x 4 pixels. It divides the pixels into
// FRAGMENTS fragments of M pixels, and the channels into COLUMNS columns of N channels. A workgroup
// has SUBGROUP x SUBGROUPS x 1 invocations and computes 16 x (4 * SUBGROUPS) pixels. The grid's z
// dimension divides the output channels among workgroups.
//
// The input channels are processed in chunks of 4 * QUADS channels. For each chunk, the workgroup
// first copies its pixels, and REACH more pixels on each side, to workgroup memory. In this copy,
// the channels of a pixel are consecutive, and adjacent pixels are PITCH vectors apart. This
// distance is an odd multiple of 16 bytes, so adjacent pixels are in different memory banks.
//
// For each output pixel, each row of the convolution's kernel covers SIDE adjacent input pixels. If
// there is no padding between them, their values form a single run (RUNS is 1). Otherwise, each
// pixel is a run of its own (RUNS is SIDE). A run is processed in STEPS steps of K values and, if
// REST is not 0, a last step of REST values. Each step multiplies left matrices (K values of the
// run for each of M adjacent output pixels) by right matrices (K x N weights).
//
//   weights [grid z][chunks][SIDE][RUNS][steps][COLUMNS][K or REST][N], in the order of use
// The prelude (code that is put before this shader) defines the types E and E4 and the constants
// SIDE, UPSAMPLE (0: the uniform's factor), M, N, K, REST (0: none), SUBGROUP (the exact subgroup
// size), SUBGROUPS, FRAGMENTS, COLUMNS, CHUNKS, QUADS, PITCH, RUNS, STEPS, GOES and GO_FRAGMENTS.

#import conv/store

@group(0) @binding(2) var<storage, read> weights: array<E>;

const REACH = SIDE / 2u;
const SPAN = 16u + 2u * REACH;
const SPAN_PIXELS = SPAN * (SUBGROUPS * 4u + 2u * REACH);
const STEP = COLUMNS * K * N;
const LAST_STEP = COLUMNS * REST * N;
// A subgroup writes its sums to workgroup memory (`leaving`), where each invocation can read the
// sums of any pixel. Invocations cannot read the sums from the matrices, because the mapping of
// matrix elements to invocations is implementation-defined. To save memory, the sums can be written
// in two passes (GOES is 2), each with GO_FRAGMENTS fragments. One vector of padding after each
// pixel's sums avoids bank conflicts.
const GO_PIXELS = GO_FRAGMENTS * M;
const WIDE = COLUMNS * N / 4u + 1u;

alias Left = subgroup_matrix_left<E, K, M>;
alias Right = subgroup_matrix_right<E, N, K>;
#if REST
  alias LastLeft = subgroup_matrix_left<E, REST, M>;
  alias LastRight = subgroup_matrix_right<E, N, REST>;
#end
alias Sums = subgroup_matrix_result<f32, N, M>;

// The last left matrix of a run can extend past the run's end, so the array has K extra values
// after the last pixel. The weights that multiply values past a run's end are zero.
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
      // Row and column indices wrap around to huge numbers above the map and left of it, so
      // `inside` is false there.
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

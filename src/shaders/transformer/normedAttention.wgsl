// Attention with one head (`groupMix` in graph/transformerOp.ts) within groups of 64 pixels, for
// maps without padding. The kernel also applies the layer norm before the attention and adds the
// residual after it:
//   y[i] = x[i] + V sum_j P[i,j] n[j] + bias.
// `n[j]` is the normalised pixel `x[j]` before the norm's factors and shifts are applied. `V` is
// the product of the output layer's weights, the value layer's weights and the norm's factors.
// `bias` includes the effect of the norm's shifts. This effect is the same for all pixels, because
// each row of `P` sums to 1. With OWN, the kernel also computes the attention weights:
//   P[i,j] = softmax_j( (Q n[i] + b).n[j] + T ).
// `Q` is the product of the query layer's weights, the key layer's weights, the norm's factors and
// `1 / sqrt(CHANNELS)`. Terms that do not depend on `j` are left out, because the softmax cancels
// them. With NEXT, a layer that reads `y` follows (transformer/nextLayer).
//   x, y    [BLOCKS][H][W] vectors of 4 channels (Chw4c); next [NEXT_BLOCKS][H][W]
//   weights matrices (transformer/matrices): V [BLOCKS][BLOCKS]; with OWN, Q [BLOCKS][BLOCKS]; with
//           NEXT, those of the next layer, [NEXT_BLOCKS][BLOCKS]
//   bias    `bias` [BLOCKS]; with OWN, b [BLOCKS]; with NEXT, the next layer's, [NEXT_BLOCKS]
//   table   [rows] f32, with TABLE: the position bias T; otherwise, T is zero
//   scores  [groups][64][16] vec4f: P
// A workgroup computes one group. Each invocation computes STRIP pixels of the group. In the grid,
// `x` and `y` select the group. A group consists of the pixels of a window, or of evenly spaced
// pixels from the whole map. One pipeline serves both kinds of group, because the kernel reads the
// kind from `params.spread`. The prelude (code that is put before this shader) defines E, E4, E4x4,
// CHANNELS, BLOCKS, STRIP, ROWS, COLUMNS, OWN, TABLE, EPSILON, NEXT, NEXT_BLOCKS, NEXT_NORM,
// NEXT_EPSILON, FIRST_MATRIX, FIRST_BIAS, ACT1, SLOPE1 and QUAD.

#import lib/activation
#import transformer/matrices

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  spread: u32, // 1 if a group is spread across the whole map, 0 if it is a window.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
#if OWN
  @group(0) @binding(4) var<storage, read> table: array<f32>;
  @group(0) @binding(5) var<storage, read_write> scores: array<vec4f>;
  @group(0) @binding(6) var<storage, read_write> y: array<E4>;
  #if NEXT
    @group(0) @binding(7) var<storage, read_write> next: array<E4>;
  #end
#else
  @group(0) @binding(4) var<storage, read> scores: array<vec4f>;
  @group(0) @binding(5) var<storage, read_write> y: array<E4>;
  #if NEXT
    @group(0) @binding(6) var<storage, read_write> next: array<E4>;
  #end
#end

const LANES = 64u / STRIP;

var<workgroup> pixels: array<vec4f, 64u * BLOCKS>;

fn table_row(query: u32, key: u32) -> u32 {
  let dy = query / COLUMNS + ROWS - 1u - key / COLUMNS;
  let dx = query % COLUMNS + COLUMNS - 1u - key % COLUMNS;
  return dy * (2u * COLUMNS - 1u) + dx;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
  #if QUAD
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
  #end
) {
  #if QUAD
    let lane = subgroup_lane & 3u;
  #else
    const lane = 0u;
  #end
  let place = vec2u(group.x, group.y + params.group_row);
  let first_row = (place.y * groups.x + place.x) * 64u;
  let plane = params.width * params.height;
  let is_spread = params.spread != 0u;
  let size = vec2u(COLUMNS, ROWS);
  let corner = select(place * size, place, is_spread);
  let steps = select(vec2u(1u), vec2u(params.width, params.height) / size, is_spread);
  #for c in 0..STRIP
    const is{c} = true;
    let token{c} = index + {c}u * LANES;
    let row{c} = (first_row + token{c}) * 16u;
    let pixel{c} = corner + vec2u(token{c} % COLUMNS, token{c} / COLUMNS) * steps;
    let at{c} = pixel{c}.y * params.width + pixel{c}.x;
    {
      var sum = vec4f(0.0);
      for (var b = 0u; b < BLOCKS; b++) {
        sum += vec4f(x[b * plane + at{c}]);
      }
      let mean = dot(sum, vec4f(1.0)) / f32(CHANNELS);
      var squares = 0.0;
      for (var b = 0u; b < BLOCKS; b++) {
        // Absent channels stay zero.
        let present = vec4u(0u, 1u, 2u, 3u) + 4u * b < vec4u(CHANNELS);
        let v = select(vec4f(0.0), vec4f(x[b * plane + at{c}]) - mean, present);
        squares += dot(v, v);
        pixels[token{c} * BLOCKS + b] = v;
      }
      let scale = inverseSqrt(squares / f32(CHANNELS) + EPSILON);
      for (var b = 0u; b < BLOCKS; b++) {
        pixels[token{c} * BLOCKS + b] *= scale;
      }
    }
  #end
  workgroupBarrier();
  #for c in 0..STRIP
    #for b in 0..BLOCKS
      var m{c}_{b} = vec4f(0.0);
    #end
  #end
  #if OWN
    #for o in 0..BLOCKS
      #for c in 0..STRIP
        var q{c}_{o} = vec4f(0.0);
      #end
      for (var i = 0u; i < BLOCKS; i++) {
        let w = matrix(BLOCKS * BLOCKS + {o}u * BLOCKS + i, lane);
        #for c in 0..STRIP
          q{c}_{o} += times(w, pixels[token{c} * BLOCKS + i]);
        #end
      }
      #for c in 0..STRIP
        q{c}_{o} = ordered(q{c}_{o}, lane) + vec4f(bias[BLOCKS + {o}u]);
      #end
    #end
    #for c in 0..STRIP
      var most{c} = -3.0e38;
      var total{c} = 0.0;
    #end
    for (var j = 0u; j < 64u; j++) {
      #for c in 0..STRIP
        var s{c} = 0.0;
        if TABLE {
          s{c} = table[table_row(token{c}, j)];
        }
      #end
      #for b in 0..BLOCKS
        {
          let key = pixels[j * BLOCKS + {b}u];
          #for c in 0..STRIP
            s{c} += dot(q{c}_{b}, key);
          #end
        }
      #end
      #for c in 0..STRIP
        scores[row{c} + (j >> 2u)][j & 3u] = s{c};
        most{c} = max(most{c}, s{c});
      #end
    }
    for (var jb = 0u; jb < 16u; jb++) {
      #for c in 0..STRIP
        {
          let e = exp(scores[row{c} + jb] - most{c});
          scores[row{c} + jb] = e;
          total{c} += dot(e, vec4f(1.0));
        }
      #end
    }
    for (var jb = 0u; jb < 16u; jb++) {
      #for c in 0..STRIP
        scores[row{c} + jb] /= total{c};
      #end
    }
  #end
  for (var j = 0u; j < 64u; j++) {
    #for c in 0..STRIP
      let p{c} = scores[row{c} + (j >> 2u)][j & 3u];
    #end
    #for b in 0..BLOCKS
      {
        let value = pixels[j * BLOCKS + {b}u];
        #for c in 0..STRIP
          m{c}_{b} += p{c} * value;
        #end
      }
    #end
  }
  for (var o = 0u; o < BLOCKS; o++) {
    #for c in 0..STRIP
      var t{c} = vec4f(0.0);
    #end
    #for i in 0..BLOCKS
      {
        let w = matrix(o * BLOCKS + {i}u, lane);
        #for c in 0..STRIP
          t{c} += times(w, m{c}_{i});
        #end
      }
    #end
    let shift = vec4f(bias[o]);
    #for c in 0..STRIP
      y[o * plane + at{c}] = E4(vec4f(x[o * plane + at{c}]) + ordered(t{c}, lane) + shift);
    #end
  }
  #if NEXT
    // Each invocation reads only those values of `y` that it wrote itself, so no barrier is needed.
    #for c in 0..STRIP
      #for b in 0..BLOCKS
        var v{c}_{b} = vec4f(y[{b}u * plane + at{c}]);
      #end
    #end
    #if NEXT_NORM
      #import transformer/norm v=v root=root epsilon=NEXT_EPSILON
    #end
    #import transformer/nextLayer v=v root=root begin=0 end=NEXT_BLOCKS on=1 matrices=FIRST_MATRIX biases=FIRST_BIAS
  #end
}

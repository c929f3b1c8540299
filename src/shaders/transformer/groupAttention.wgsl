// Attention within groups of pixels. This kernel combines the ops `groupScores` and `groupMix` from
// graph/transformerOp.ts:
//   y[i] = sum_j softmax_j( q[i].k[j] / sqrt(DEPTH) + T ) v[j]
//   q, kv [..][H][W] vectors of 4 channels (Chw4c): queries from channel QUERY on, keys from KEY
//         on, values from FIRST on
//   table [rows][HEADS] f32, with TABLE: the position bias T; otherwise, T is zero
//   y     [ceil(CHANNELS / 4)][H][W]
// One workgroup of 64 invocations computes 64 queries of one head of one group, with one query per
// invocation. Keys and values are copied to workgroup memory, CHUNK at a time. No score is stored.
// Instead, the softmax is computed relative to the largest score so far, and its sums are rescaled
// whenever a larger score appears. A workgroup's `x` and `y` select the group. Its `z` is
// `head + HEADS * part`, where `part` selects the 64 queries from `64 * part` on. The prelude (code
// that is put before this shader) defines E, E4, CHANNELS, QUERY, KEY, FIRST, DEPTH (the number of
// channels per head), BLOCKS (the number of blocks per head), HEADS, PER_PIXEL (the number of key
// channels per pixel), TOKENS, KEYS, CHUNK, TABLE, ALIGNED (each head starts at a vector boundary),
// MERGED (MERGE is not 1) and the constants of transformer/groupKeys.

#import lib/groups
#import lib/map
#import transformer/groupKeys

@group(0) @binding(1) var<storage, read> q: array<E4>;
@group(0) @binding(2) var<storage, read> kv: array<E4>;
@group(0) @binding(3) var<storage, read> table: array<f32>;
#if ALIGNED
  @group(0) @binding(4) var<storage, read_write> y: array<E4>;
#else
  // Two heads can write to the same vector, so the lanes are written separately.
  @group(0) @binding(4) var<storage, read_write> y: array<E>;
#end

var<workgroup> keys: array<vec4f, CHUNK * BLOCKS>;
var<workgroup> values: array<vec4f, CHUNK * BLOCKS>;

// Returns `v` with zeros in the lanes beyond the head's channels. `v` is block `b` of the head.
fn present(b: u32, v: vec4f) -> vec4f {
  return select(vec4f(0.0), v, vec4u(0u, 1u, 2u, 3u) + 4u * b < vec4u(DEPTH));
}

// Returns four consecutive lanes of the vectors `a` and `b`, starting at lane `lane` of `a`.
fn lanes(lane: u32, a: vec4f, b: vec4f) -> vec4f {
  if lane == 0u {
    return a;
  }
  if lane == 1u {
    return vec4f(a.yzw, b.x);
  }
  if lane == 2u {
    return vec4f(a.zw, b.xy);
  }
  return vec4f(a.w, b.xyz);
}

fn query_vector(c: u32, pixel: u32) -> vec4f {
  let plane = params.width * params.height;
  let at = (c >> 2u) * plane + pixel;
  #if ALIGNED
    return vec4f(q[at]);
  #else
    return lanes(c & 3u, vec4f(q[at]), vec4f(q[at + plane]));
  #end
}

// Returns the channels `c` to `c + 3` of a key or a value. `first` is KEY for keys and FIRST for
// values.
fn key_vector(first: u32, c: u32, place: vec2u, key: u32) -> vec4f {
  let plane = params.width * params.height;
  #if MERGED
    var v = vec4f(0.0);
    for (var l = 0u; l < 4u; l++) {
      let part = min((c + l) / PER_PIXEL, MERGE * MERGE - 1u);
      let pixel = group_pixel(place, key_position(key, part), params.width, params.height);
      let channel = first + (c + l) % PER_PIXEL;
      if pixel != ABSENT {
        v[l] = f32(kv[(channel >> 2u) * plane + pixel][channel & 3u]);
      }
    }
    return v;
  #else
    let pixel = group_pixel(place, key, params.width, params.height);
    if pixel == ABSENT {
      return vec4f(0.0);
    }
    let at = ((first + c) >> 2u) * plane + pixel;
    #if ALIGNED
      return vec4f(kv[at]);
    #else
      return lanes((first + c) & 3u, vec4f(kv[at]), vec4f(kv[at + plane]));
    #end
  #end
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = vec2u(group.x, group.y + params.group_row);
  let windows = windows_in(params.width, params.height);
  let head = group.z % HEADS;
  let c = head * DEPTH;
  let i = group.z / HEADS * 64u + lane;
  var pixel = ABSENT;
  if i < TOKENS {
    pixel = group_pixel(place, i, params.width, params.height);
  }
  let own = border_part(place, windows, i);
  #for b in 0..BLOCKS
    var q{b} = vec4f(0.0);
    var o{b} = vec4f(0.0);
  #end
  if pixel != ABSENT {
    #for b in 0..BLOCKS
      q{b} = present({b}u, query_vector(QUERY + c + 4u * {b}u, pixel)) * inverseSqrt(f32(DEPTH));
    #end
  }
  var most = -3.0e38;
  var total = 0.0;
  for (var start = 0u; start < KEYS; start += CHUNK) {
    workgroupBarrier();
    for (var n = lane; n < CHUNK * BLOCKS; n += 64u) {
      let key = start + n / BLOCKS;
      let b = n % BLOCKS;
      if key < KEYS {
        keys[n] = present(b, key_vector(KEY, c + 4u * b, place, key));
        values[n] = present(b, key_vector(FIRST, c + 4u * b, place, key));
      }
    }
    workgroupBarrier();
    let count = min(CHUNK, KEYS - start);
    for (var j = 0u; j < count; j++) {
      let key = start + j;
      var s = 0.0;
      #for b in 0..BLOCKS
        s += dot(q{b}, keys[j * BLOCKS + {b}u]);
      #end
      if TABLE {
        s += table[table_row(min(i, TOKENS - 1u), key) * HEADS + head];
      }
      #if MOVED
        if own != border_part(place, windows, key_position(key, 0u)) {
          s -= 100.0;
        }
      #end
      if s > most {
        let factor = exp(most - s);
        total *= factor;
        #for b in 0..BLOCKS
          o{b} *= factor;
        #end
        most = s;
      }
      let e = exp(s - most);
      total += e;
      #for b in 0..BLOCKS
        o{b} += e * values[j * BLOCKS + {b}u];
      #end
    }
  }
  if pixel == ABSENT {
    return;
  }
  let plane = params.width * params.height;
  #if ALIGNED
    #for b in 0..BLOCKS
      y[((c >> 2u) + {b}u) * plane + pixel] = E4(o{b} / total);
    #end
  #else
    #for b in 0..BLOCKS
      #for l in 0..4
        if {b}u * 4u + {l}u < DEPTH {
          let c{b}_{l} = c + {b}u * 4u + {l}u;
          y[((c{b}_{l} >> 2u) * plane + pixel) * 4u + (c{b}_{l} & 3u)] = E(o{b}[{l}u] / total);
        }
      #end
    #end
    if head == HEADS - 1u {
      for (var rest = CHANNELS; rest < (CHANNELS + 3u) / 4u * 4u; rest++) {
        y[((rest >> 2u) * plane + pixel) * 4u + (rest & 3u)] = E(0.0);
      }
    }
  #end
}

// A 3x3 depthwise convolution with an activation, and the sums of its result over the pixels of
// each workgroup:
//   y[c] = act( sum_{ky,kx} w[c,ky,kx] * x[c, i+ky-1, j+kx-1] + b[c] )
//   x, y     [BLOCKS][H][W] vectors of 4 channels (Chw4c); weights [BLOCKS][9], bias [BLOCKS]
//   partials [workgroups][BLOCKS] vec4f: sums over 8 columns x (8 STRIP) rows
// One invocation computes 4 channels of STRIP pixels in a column. Workgroups have 8 x 8 x 1
// invocations. The workgroup's `z` coordinate selects the block of 4 channels. The prelude (code
// that is put before this shader) defines E, E4, BLOCKS, STRIP, ACT0 and SLOPE0.

#import lib/activation
#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;
@group(0) @binding(5) var<storage, read_write> partials: array<vec4f>;

var<workgroup> sums: array<vec4f, 64>;

@compute @workgroup_size(8, 8, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.width;
  let height = params.height;
  let left = group.x * 8u + local.x;
  let group_row = group.y + params.group_row;
  let top = (group_row * 8u + local.y) * STRIP;
  let first = group.z * width * height;
  #for k in 0..STRIP+2
    let in_row{k} = top + {k}u - 1u < height;
    let row{k} = first + min(max(top + {k}u, 1u) - 1u, height - 1u) * width;
  #end
  #for c in 0..STRIP
    var sum{c} = vec4f(bias[group.z]);
  #end
  for (var j = 0u; j < 3u; j++) {
    let in_col = left + j - 1u < width;
    let col = min(max(left + j, 1u) - 1u, width - 1u);
    #for t in 0..3
      let w{t} = vec4f(weights[group.z * 9u + {t}u * 3u + j]);
    #end
    #for k in 0..STRIP+2
      let p{k} = select(vec4f(0.0), vec4f(x[row{k} + col]), in_row{k} && in_col);
    #end
    #for c in 0..STRIP
      #for t in 0..3
        sum{c} += w{t} * p{c+t};
      #end
    #end
  }
  var total = vec4f(0.0);
  #for c in 0..STRIP
    if left < width && top + {c}u < height {
      let v = activate(ACT0, SLOPE0, sum{c});
      y[first + (top + {c}u) * width + left] = E4(v);
      total += v;
    }
  #end
  #import lib/total index=index sum=total
  if index == 0u {
    partials[(group_row * groups.x + group.x) * BLOCKS + group.z] = sums[0];
  }
}

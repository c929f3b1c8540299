// The bindings and the epilogue of convolutions:
//   y = act1( act0( sum + b[o] ) * m * factor + r ) or, with MIX,
//   y = act1( act0( sum + b[o] ) * m[own] + r * m[1 - own] )    (arXiv 2104.09497, eq. 5)
// `m` and `r` are feature maps with the output's shape. Either can be absent. With MIX, `m` is a
// vector of two weights, and `own` is the index of the weight for the result of `act0`. With PARTS,
// `x` is the concatenation of several feature maps, and `m` is absent. The shader then reads up to
// five maps: the parts of `x`, and `r` if it is not one of these parts.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, with zeros in absent channels.
//   x       [in_blocks][h][w], H = h * upsample, W = w * upsample
//   bias    [out_blocks], zeros if the layer has no bias, then the slopes of a PReLU, [out_blocks]
//   m, r, y [out_blocks][H][W]
// The weights are declared elsewhere, in conv/weights.wgsl and conv/matrix.wgsl.
//
// `activate` selects an activation with a switch. Drivers that emulate a GPU on the CPU execute
// every branch of a switch, and one `exp()` can cost them as much time as the convolution itself.
// LINEAR therefore replaces `activate` with a leaky ReLU, whose slope can also make it a ReLU or
// the identity. SIGMOID replaces `activate` with a sigmoid, but only for `act0`. MULTIPLY, ADD and
// PRELU each add the code of one operation to the epilogue. A layer runs only the operations
// selected by the field `epilogue` of its uniform.
// The prelude (code that is put before this shader) defines PARTS, LINEAR, SIGMOID, MULTIPLY, ADD,
// MIX and PRELU.

#import lib/activation

struct Params {
  width: u32, // The output's width, `W`.
  height: u32,      // The output's height, `H`.
  group_row: u32, // The first row of workgroups in this dispatch. Large layers take several dispatches.
  in_blocks: u32,
  epilogue: u32, // Bits 0-3: `act0`. 4-7: `act1`. 8: has `m`. 9: has `r`. 10 and up: `own` (MIX) or index of `r` (PARTS).
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
  upsample: u32,
  ends01: u32, // Used only with PARTS (see conv/parts.wgsl).
  ends23: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if PARTS
  #import conv/parts
  @group(0) @binding(7) var<storage, read> bias: array<E4>;
  @group(0) @binding(8) var<storage, read_write> y: array<E4>;
#else
  @group(0) @binding(1) var<storage, read> x: array<E4>;
  @group(0) @binding(3) var<storage, read> bias: array<E4>;
  #if MIX
    @group(0) @binding(4) var<storage, read> multiplier: array<f32>;
  #else
    @group(0) @binding(4) var<storage, read> multiplier: array<E4>;
  #end
  @group(0) @binding(5) var<storage, read> addend: array<E4>;
  @group(0) @binding(6) var<storage, read_write> y: array<E4>;
#end

// Returns the bias of a block. Blocks beyond the last one get the last block's bias, but their
// results are not stored.
fn bias_of(block: u32) -> vec4f {
  return vec4f(bias[min(block, params.out_blocks - 1u)]);
}

// Applies the epilogue to the sum for one pixel, stores the result and returns it. Pixels outside
// the map are dropped.
fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) -> vec4f {
  if row >= params.height || col >= params.width || block >= params.out_blocks {
    return vec4f(0.0);
  }
  let at = (block * params.height + row) * params.width + col;
  #if SIGMOID
    var v = logistic(sum);
  #else
    #if LINEAR
      var v = leaky(vec4f(params.slope0), sum);
    #else
      var v = activate(params.epilogue & 15u, params.slope0, sum);
    #end
  #end
  #if PRELU
    if (params.epilogue & 15u) == ACTIVATION_PRELU {
      v = leaky(vec4f(bias[params.out_blocks + block]), sum);
    }
  #end
  #if MIX
    let own = params.epilogue >> 10u;
    v = v * multiplier[own] + vec4f(addend[at]) * multiplier[1u - own];
  #end
  #if MULTIPLY
    if (params.epilogue & 256u) != 0u {
      v *= vec4f(multiplier[at]);
    }
  #end
  #if ADD
    if (params.epilogue & 512u) != 0u {
      #if PARTS
        v = v * params.factor + load_map((params.epilogue >> 10u) & 7u, at);
      #else
        v = v * params.factor + vec4f(addend[at]);
      #end
    }
  #end
  #if LINEAR
    v = leaky(vec4f(params.slope1), v);
  #else
    v = activate((params.epilogue >> 4u) & 15u, params.slope1, v);
  #end
  y[at] = E4(v);
  return v;
}

// Bindings and epilogue of the convolutions whose pixels are stored one at a time, wherever they lie:
//   y = act1( act0( sum + b[o] ) * m * factor + r )
// Layouts as conv3x3.wgsl has them. Weights, binding 2, are each kernel's own.
// Prelude: E, E4; lib/epilogue.wgsl.

struct Params {
  width: u32,       // W, of the output
  height: u32,      // H
  group_row: u32,   // first row of workgroups of this dispatch: large layers run in pieces
  in_blocks: u32,
  epilogue: u32,    // act0 | act1 << 4 | (m present) << 8 | (r present) << 9
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> multiplier: array<E4>;
@group(0) @binding(5) var<storage, read> addend: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

// What lies outside of the map is dropped.
fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) {
  if row >= params.height || col >= params.width || block >= params.out_blocks {
    return;
  }
  let at = (block * params.height + row) * params.width + col;
  let act0 = params.epilogue & 15u;
  var slopes = vec4f(0.0);
  if act0 == ACTIVATION_PRELU {
    slopes = vec4f(bias[params.out_blocks + block]);
  }
  var v = activate_by_channel(act0, params.slope0, slopes, sum);
  if (params.epilogue & 256u) != 0u {
    v *= vec4f(multiplier[at]);
  }
  if (params.epilogue & 512u) != 0u {
    v = v * params.factor + vec4f(addend[at]);
  }
  y[at] = E4(activate((params.epilogue >> 4u) & 15u, params.slope1, v));
}

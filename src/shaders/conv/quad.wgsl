// Bindings, weights and epilogue of the convolutions whose invocations share the weights of a quad.
// `activate_first` comes from quadLinear.wgsl or quadSigmoid.wgsl: software drivers run every branch
// of a switch, and an exp() more costs them as much as the convolution. For the same reason MULTIPLY,
// ADD and PRELU say what the epilogue can do at all; the uniform says what it does.
// Prelude: E4, MULTIPLY, ADD, PRELU.
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_PRELU = 6u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> multiplier: array<E4>;
@group(0) @binding(5) var<storage, read> addend: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

// Columns lane, lane^1, lane^2, lane^3 of a matrix, of which each lane of the quad loads one. All four
// must ask for the same matrix. Beyond the last matrix something is read, and dropped when stored.
fn load_matrix(at: u32, lane: u32) -> mat4x4f {
  let own = vec4f(weights[at * 4u + lane]);
  let below = quadSwapY(own);
  return mat4x4f(own, quadSwapX(own), below, quadSwapX(below));
}

// Between a block's channels in order and in that of load_matrix; its own inverse.
fn reorder(v: vec4f, lane: u32) -> vec4f {
  let pairs = select(v, v.yxwz, (lane & 1u) != 0u);
  return select(pairs, pairs.zwxy, (lane & 2u) != 0u);
}

// No activation, ReLU or leaky ReLU.
fn activate_linear(fn_id: u32, slope: f32, v: vec4f) -> vec4f {
  let below = select(select(1.0, 0.0, fn_id == ACTIVATION_RELU), slope, fn_id == ACTIVATION_LEAKY_RELU);
  return select(v * below, v, v >= vec4f(0.0));
}

fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) {
  if row >= params.height || col >= params.width || block >= params.out_blocks {
    return;
  }
  let at = (block * params.height + row) * params.width + col;
  var v = activate_first(params.epilogue & 15u, block, sum);
  if MULTIPLY && (params.epilogue & 256u) != 0u {
    v *= vec4f(multiplier[at]);
  }
  if ADD && (params.epilogue & 512u) != 0u {
    v = v * params.factor + vec4f(addend[at]);
  }
  y[at] = E4(activate_linear((params.epilogue >> 4u) & 15u, params.slope1, v));
}

// A concatenation that is never written out: up to five feature maps bound side by side, read as one
// map whose blocks run through the first of them. Each part starts at a block of its own, so a
// part of 6 channels takes two blocks, and the weights of its absent channels are zero.
// The uniform `params` holds ends01 and ends23: blocks up to the end of each part.

@group(0) @binding(1) var<storage, read> x0: array<E4>;
@group(0) @binding(2) var<storage, read> x1: array<E4>;
@group(0) @binding(3) var<storage, read> x2: array<E4>;
@group(0) @binding(4) var<storage, read> x3: array<E4>;
@group(0) @binding(5) var<storage, read> x4: array<E4>;

// The map that holds a block of the concatenation. The same for a whole workgroup, as the block is.
fn part_of(block: u32) -> u32 {
  return u32(block >= (params.ends01 & 0xffffu)) + u32(block >= (params.ends01 >> 16u)) +
    u32(block >= (params.ends23 & 0xffffu)) + u32(block >= (params.ends23 >> 16u));
}

// The block's place within its map.
fn block_within(part: u32, block: u32) -> u32 {
  switch part {
    case 1u: { return block - (params.ends01 & 0xffffu); }
    case 2u: { return block - (params.ends01 >> 16u); }
    case 3u: { return block - (params.ends23 & 0xffffu); }
    case 4u: { return block - (params.ends23 >> 16u); }
    default: { return block; }
  }
}

fn load_map(part: u32, at: u32) -> vec4f {
  switch part {
    case 1u: { return vec4f(x1[at]); }
    case 2u: { return vec4f(x2[at]); }
    case 3u: { return vec4f(x3[at]); }
    case 4u: { return vec4f(x4[at]); }
    default: { return vec4f(x0[at]); }
  }
}

// A concatenation that is never written out: up to five feature maps bound side by side, read as one
// map whose blocks run through the first of them. Each part starts at a block of its own, so a
// part of 6 channels takes two blocks, and the weights of its absent channels are zero.
// The uniform `params` holds ends01 and ends23: blocks up to the end of the parts 0 | 1 << 16 and
// 2 | 3 << 16, all blocks for absent parts.

#for m in 0..5
  @group(0) @binding({m+1}) var<storage, read> x{m}: array<E4>;
#end

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
    #for m in 1..5
      case {m}u: { return vec4f(x{m}[at]); }
    #end
    default: { return vec4f(x0[at]); }
  }
}

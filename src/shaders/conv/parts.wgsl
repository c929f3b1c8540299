// A concatenation that is never written out: up to five feature maps, bound one by one and read as
// one map of consecutive blocks. Each part starts at a block boundary: a part of 6 channels takes
// two blocks, and its absent channels have zero weights. The uniform `params` holds ends01 and
// ends23: blocks up to the end of the parts 0 | 1 << 16 and 2 | 3 << 16. Absent parts end at the
// number of all blocks.

#for m in 0..5
  @group(0) @binding({m+1}) var<storage, read> x{m}: array<E4>;
#end

// The map that holds a block of the concatenation. Uniform across a workgroup, because the block
// is.
fn part_of(block: u32) -> u32 {
  return u32(block >= (params.ends01 & 0xffffu)) + u32(block >= (params.ends01 >> 16u)) +
    u32(block >= (params.ends23 & 0xffffu)) + u32(block >= (params.ends23 >> 16u));
}

// The block's index within its map.
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

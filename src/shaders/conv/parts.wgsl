// Reads up to five feature maps as if they were concatenated into one, without storing the
// concatenation. These maps are called parts. Each part has its own binding, and the blocks of all
// parts are numbered consecutively. Each part starts with a new block of 4 channels. For example, a
// part of 6 channels takes two blocks, and the weights for the 2 unused channels are zero. The
// uniform `params` contains the ends of the first four parts, in blocks. `ends01` contains end 0 in
// its low 16 bits and end 1 in its high 16 bits. `ends23` contains ends 2 and 3 in the same way. If
// there are fewer than four parts, each unused end is the total number of blocks.
// The kernel reads at most MAPS maps: at most PARTS parts and, if it is not one of them, an addend.
// Software drivers execute all cases of a switch, so smaller numbers save time.

#for m in 0..5
  @group(0) @binding({m+1}) var<storage, read> x{m}: array<E4>;
#end

// Returns the index of the part that contains a block of the concatenation. All invocations of a
// workgroup pass the same block, so the result is uniform across the workgroup.
fn part_of(block: u32) -> u32 {
  return u32(block >= (params.ends01 & 0xffffu)) + u32(block >= (params.ends01 >> 16u)) +
    u32(block >= (params.ends23 & 0xffffu)) + u32(block >= (params.ends23 >> 16u));
}

// Returns the index of a block within its part.
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
    #for m in 1..MAPS
      case {m}u: { return vec4f(x{m}[at]); }
    #end
    default: { return vec4f(x0[at]); }
  }
}

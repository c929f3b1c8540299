// The uniform of kernels that go over a map of a size.

struct Params {
  width: u32,
  height: u32,
  group_row: u32,   // first row of workgroups of this dispatch: large maps run in pieces
}

@group(0) @binding(0) var<uniform> params: Params;

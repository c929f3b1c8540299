// The uniform of kernels that run over one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // first row of workgroups of this dispatch: large maps run in several dispatches
}

@group(0) @binding(0) var<uniform> params: Params;

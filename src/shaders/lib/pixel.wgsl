// Finds the pixel of an invocation in a map of `params.width` x `params.height` pixels. Invocations
// beyond the map end here.
//   side=WIDTH and HEIGHT of a workgroup
let col = group.x * {side}u + local.x;
let row = (group.y + params.group_row) * {side}u + local.y;
if row >= params.height || col >= params.width {
  return;
}

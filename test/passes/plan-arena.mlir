// RUN: segc-opt %s --plan-arena | FileCheck %s

// a and b live together, c begins when a is dead and takes its place; offsets are multiples of 64.
// CHECK-LABEL: plan.program @reuse
// CHECK-SAME: arena_bytes = 2048
// CHECK-DAG: plan.alloc "a" {{.*}} offset [[A:[0-9]+]]
// CHECK-DAG: plan.alloc "c" {{.*}} offset [[A]]
// CHECK-DAG: plan.alloc "b" {{.*}} offset {{[0-9]+}}
plan.program @reuse sizes ["const 1", "const 8"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  %b = plan.alloc "b" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  %c = plan.alloc "c" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  plan.border %a
  plan.border %b
  plan.border %a
  plan.border %c
  plan.border %b
}

// The apron's pixels count: (8 + 2) x (8 + 2) x 4 floats.
// CHECK-LABEL: plan.program @apron
// CHECK-SAME: arena_bytes = 1600
plan.program @apron sizes ["const 1", "const 8"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [1, 1, 1, 1] : !plan.buffer
  plan.border %a
}

// Extents that only the caller knows: the runtime places the buffers.
// CHECK-LABEL: plan.program @free
// CHECK-NOT: arena_bytes
// CHECK-NOT: offset
// CHECK: plan.program @last
plan.program @free sizes ["const 1", "input 0 2 0", "const 2", "add 1 2"] {
  %a = plan.alloc "a" f32 extents [0, 3, 3] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  plan.border %a
}

plan.program @last sizes [] {
}

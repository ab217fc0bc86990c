// RUN: segc-opt %s | segc-opt | FileCheck %s

// Everything a program is made of survives printing and parsing: sizes, checks, buffers, views, launches.
// CHECK: plan.kernel @relu_c4 problem "pointwise c4 in8 out4 +relu : f32" schedule "rows"
// CHECK: hourglass.activation
// CHECK: plan.yield
plan.kernel @relu_c4 problem "pointwise c4 in8 out4 +relu : f32" schedule "rows" {
^bb0(%x: tensor<1x4x6x8xf32>):
  %y = hourglass.activation %x {function = "relu"} : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  plan.yield %y : tensor<1x4x6x8xf32>
}

// CHECK-LABEL: plan.program @prepare sizes []
plan.program @prepare sizes [] {
  // CHECK: plan.weight "c.weight" init "he" : <tensor<4x4x3x3xf32>>
  %w = plan.weight "c.weight" init "he" : <tensor<4x4x3x3xf32>>
  // CHECK: plan.weight "n.running_mean" init "zero" {running} : <tensor<4xf32>>
  %m = plan.weight "n.running_mean" init "zero" {running} : <tensor<4xf32>>
  // CHECK: plan.prepared 0 : <tensor<64xf32>>
  %p = plan.prepared 0 : <tensor<64xf32>>
  // CHECK: plan.launch "n" problem "pack_vector : f32" schedule "vector" reads(%{{.*}}) shapes() writes(%{{.*}})
  plan.launch "n" problem "pack_vector : f32" schedule "vector" reads(%m) shapes() writes(%p) {
  ^bb0(%v: tensor<4xf32>):
    %q = hourglass.pack %v {extents = array<i64: 64>, problem = "pack_vector : f32"} : (tensor<4xf32>) -> tensor<64xf32>
    plan.yield %q : tensor<64xf32>
  } : (!plan.view<tensor<4xf32>>, !plan.view<tensor<64xf32>>) -> ()
}

// Size 7 is the height less 3, at least 1: every kind of expression appears once.
// CHECK-LABEL: plan.program @run
// CHECK-SAME: sizes ["const 1", "input 0 2 6", "input 0 3 8", "const 0", "sub 1 0", "add 2 3", "mul 1 2", "div 6 2", "min 1 2", "max 1 2"]
// CHECK-SAME: checks = ["least 1 4: too small", "equal 1 7: must be even"]
plan.program @run sizes ["const 1", "input 0 2 6", "input 0 3 8", "const 0", "sub 1 0", "add 2 3", "mul 1 2", "div 6 2",
                         "min 1 2", "max 1 2"]
    attributes {checks = ["least 1 4: too small", "equal 1 7: must be even"]} {
  // CHECK: %[[A:.*]] = plan.alloc "a" f32 extents [0, 1, 2] channels 8 apron [1, 2, 3, 4] offset 64 : !plan.buffer
  %a = plan.alloc "a" f32 extents [0, 1, 2] channels 8 apron [1, 2, 3, 4] offset 64 : !plan.buffer
  // CHECK: plan.alloc "i" ui8 extents [0, 1, 2] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  %i = plan.alloc "i" ui8 extents [0, 1, 2] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // CHECK: plan.border %[[A]]
  plan.border %a
  // CHECK: plan.view %[[A]] channels 4 of 8 extents [0, 1, 2] origin [3, 3] step [1, 1] : <tensor<1x4x6x8xf32>>
  %v = plan.view %a channels 4 of 8 extents [0, 1, 2] origin [3, 3] step [1, 1] : <tensor<1x4x6x8xf32>>
  // CHECK: plan.view %[[A]] channels 0 of 8 extents [0, 1, 2] origin [3, 3] step [1, 1] bounded : <tensor<1x8x6x8xf32>>
  %b = plan.view %a channels 0 of 8 extents [0, 1, 2] origin [3, 3] step [1, 1] bounded : <tensor<1x8x6x8xf32>>
  // CHECK: plan.input 0 "image" extents [0, 0, 1, 2] : <tensor<1x1x6x8xf32>>
  %in = plan.input 0 "image" extents [0, 0, 1, 2] : <tensor<1x1x6x8xf32>>
  // CHECK: plan.output 0 "logits" extents [0, 0, 1, 2] : <tensor<1x4x6x8xf32>>
  %out = plan.output 0 "logits" extents [0, 0, 1, 2] : <tensor<1x4x6x8xf32>>
  // CHECK: plan.launch "c" @relu_c4 problem {{.*}} reads(%{{.*}}) shapes(%{{.*}}) writes(%{{.*}})
  plan.launch "c" @relu_c4 problem "pointwise c4 in8 out4 +relu : f32" schedule "rows" reads(%v) shapes(%b) writes(%out) {
  } : (!plan.view<tensor<1x4x6x8xf32>>, !plan.view<tensor<1x8x6x8xf32>>, !plan.view<tensor<1x4x6x8xf32>>) -> ()
}

// RUN: segc-opt %s --plan-outline | FileCheck %s

// Equal launches share one kernel, which is named by its problem; another meaning or another schedule is another kernel.
// CHECK: plan.kernel @pointwise_c4_in4_out4_relu_f32 problem "pointwise c4 in4 out4 +relu : f32" schedule "rows"
// CHECK: hourglass.activation {{.*}} {function = "relu"}
// CHECK: plan.kernel @pointwise_c4_in4_out4_relu_f32_1 problem "pointwise c4 in4 out4 +relu : f32" schedule "columns"
// CHECK: plan.kernel @pointwise_c4_in4_out4_relu_f32_2 problem "pointwise c4 in4 out4 +relu : f32" schedule "rows"
// CHECK: hourglass.activation {{.*}} {function = "tanh"}
// CHECK-NOT: plan.kernel
// CHECK: plan.program @run
// CHECK: plan.launch "a" @pointwise_c4_in4_out4_relu_f32 problem
// CHECK: plan.launch "b" @pointwise_c4_in4_out4_relu_f32 problem
// CHECK: plan.launch "c" @pointwise_c4_in4_out4_relu_f32_1 problem
// CHECK: plan.launch "d" @pointwise_c4_in4_out4_relu_f32_2 problem
// What is computed again in the backward pass is the same kernel.
// CHECK: plan.launch "e" @pointwise_c4_in4_out4_relu_f32 problem
// CHECK-NOT: hourglass.
plan.program @run sizes ["const 1", "const 8", "const 6"] {
  %a = plan.input 0 "image" extents [0, 0, 1, 1] : <tensor<1x4x8x8xf32>>
  %b = plan.input 0 "small" extents [0, 0, 2, 2] : <tensor<1x4x6x6xf32>>
  plan.launch "a" problem "pointwise c4 in4 out4 +relu : f32" schedule "rows" reads(%a) shapes() writes(%a) {
  ^bb0(%x: tensor<1x4x8x8xf32>):
    %y = hourglass.activation %x {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    plan.yield %y : tensor<1x4x8x8xf32>
  } : (!plan.view<tensor<1x4x8x8xf32>>, !plan.view<tensor<1x4x8x8xf32>>) -> ()
  plan.launch "b" problem "pointwise c4 in4 out4 +relu : f32" schedule "rows" reads(%b) shapes() writes(%b) {
  ^bb0(%x: tensor<1x4x6x6xf32>):
    %y = hourglass.activation %x {function = "relu"} : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
    plan.yield %y : tensor<1x4x6x6xf32>
  } : (!plan.view<tensor<1x4x6x6xf32>>, !plan.view<tensor<1x4x6x6xf32>>) -> ()
  plan.launch "c" problem "pointwise c4 in4 out4 +relu : f32" schedule "columns" reads(%a) shapes() writes(%a) {
  ^bb0(%x: tensor<1x4x8x8xf32>):
    %y = hourglass.activation %x {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    plan.yield %y : tensor<1x4x8x8xf32>
  } : (!plan.view<tensor<1x4x8x8xf32>>, !plan.view<tensor<1x4x8x8xf32>>) -> ()
  plan.launch "d" problem "pointwise c4 in4 out4 +relu : f32" schedule "rows" reads(%a) shapes() writes(%a) {
  ^bb0(%x: tensor<1x4x8x8xf32>):
    %y = hourglass.activation %x {function = "tanh"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    plan.yield %y : tensor<1x4x8x8xf32>
  } : (!plan.view<tensor<1x4x8x8xf32>>, !plan.view<tensor<1x4x8x8xf32>>) -> ()
  plan.launch "e" problem "pointwise c4 in4 out4 +relu : f32" schedule "rows" reads(%a) shapes() writes(%a) {
  ^bb0(%x: tensor<1x4x8x8xf32>):
    %y = hourglass.activation %x {function = "relu", hourglass.again = 2 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    plan.yield %y : tensor<1x4x8x8xf32>
  } : (!plan.view<tensor<1x4x8x8xf32>>, !plan.view<tensor<1x4x8x8xf32>>) -> ()
}

// RUN: segc-opt %s -split-input-file --hg-hoist-weights | FileCheck %s

// Everything that hangs on weights only moves to @prepare; what @main needs of it becomes marked arguments, in order of use.
// CHECK-LABEL: module @folded
// CHECK: func.func @prepare() -> (tensor<4x3x1x1xf32>, tensor<4xf32>) {
// CHECK-DAG: %[[W:.*]] = hourglass.weight "c.weight"
// CHECK-DAG: %[[S:.*]] = hourglass.norm_scale
// CHECK-DAG: %[[SW:.*]] = hourglass.scale_weight %[[W]], %[[S]]
// CHECK-DAG: %[[T:.*]] = hourglass.norm_shift
// CHECK: return %[[SW]], %[[T]]
// CHECK: func.func @main(%[[X:.*]]: tensor<1x3x8x8xf32>, %[[A:.*]]: tensor<4x3x1x1xf32> {hourglass.prepared = 0 : i64}, %[[B:.*]]: tensor<4xf32> {hourglass.prepared = 1 : i64})
// CHECK-NEXT: %[[Y:.*]] = hourglass.conv %[[X]], %[[A]], %[[B]]
// CHECK-NEXT: return %[[Y]]
module @folded {
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<4x3x1x1xf32>
  %m = hourglass.weight "n.running_mean" init "zero" {running} : tensor<4xf32>
  %v = hourglass.weight "n.running_var" init "one" {running} : tensor<4xf32>
  %s = hourglass.norm_scale %v {eps = 1.0e-5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %sw = hourglass.scale_weight %w, %s : (tensor<4x3x1x1xf32>, tensor<4xf32>) -> tensor<4x3x1x1xf32>
  %t = hourglass.norm_shift %m, %s {operandSegmentSizes = array<i32: 0, 1, 1, 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y = hourglass.conv %x, %sw, %t {operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  return %y : tensor<1x4x8x8xf32>
}
}

// -----

// A value that two layers need is one argument.
// CHECK-LABEL: module @shared
// CHECK: func.func @prepare() -> tensor<3x3x1x1xf32>
// CHECK: func.func @main(%[[X:.*]]: tensor<1x3x8x8xf32>, %[[W:.*]]: tensor<3x3x1x1xf32> {hourglass.prepared = 0 : i64})
// CHECK: %[[A:.*]] = hourglass.conv %[[X]], %[[W]]
// CHECK: hourglass.conv %[[A]], %[[W]]
module @shared {
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %a = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %b = hourglass.conv %a, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  return %b : tensor<1x3x8x8xf32>
}
}

// -----

// A network without weights has an empty @prepare.
// CHECK-LABEL: module @none
// CHECK: func.func @prepare() {
// CHECK-NEXT: return
// CHECK: func.func @main(%{{.*}}: tensor<1x3x8x8xf32>) ->
module @none {
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %y = hourglass.activation %x {function = "relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %y : tensor<1x3x8x8xf32>
}
}

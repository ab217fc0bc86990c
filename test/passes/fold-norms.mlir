// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fold-norms))' | FileCheck %s

// A norm behind a convolution goes into its weights and bias; the convolution's own bias joins the shift.
// CHECK-LABEL: func @conv
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x8x8xf32>
// CHECK-DAG: %[[W:.*]] = hourglass.weight "c.weight"
// CHECK-DAG: %[[B:.*]] = hourglass.weight "c.bias"
// CHECK: %[[S:.*]] = hourglass.norm_scale %{{.*}}, %{{.*}} {eps = 1.000000e-03 : f64}
// CHECK: %[[SW:.*]] = hourglass.scale_weight %[[W]], %[[S]]
// CHECK: %[[T:.*]] = hourglass.norm_shift %{{.*}}, %{{.*}}, %[[S]], %[[B]]
// CHECK: %[[Y:.*]] = hourglass.conv %[[X]], %[[SW]], %[[T]]
// CHECK-NOT: hourglass.norm %
// CHECK: return %[[Y]]
func.func @conv(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<4x3x1x1xf32>
  %b = hourglass.weight "c.bias" init "zero" : tensor<4xf32>
  %g = hourglass.weight "c.norm.weight" init "one" : tensor<4xf32>
  %be = hourglass.weight "c.norm.bias" init "zero" : tensor<4xf32>
  %m = hourglass.weight "c.norm.running_mean" init "zero" {running} : tensor<4xf32>
  %v = hourglass.weight "c.norm.running_var" init "one" {running} : tensor<4xf32>
  %c = hourglass.conv %x, %w, %b {operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %n = hourglass.norm %c, %g, %be, %m, %v {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>, eps = 1.0e-3 : f64} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  return %n : tensor<1x4x8x8xf32>
}

// A deconvolution's output channels are the second extent of its weights.
// CHECK-LABEL: func @deconv
// CHECK: hourglass.scale_weight %{{.*}}, %{{.*}} {deconv, groups = 2 : i64}
// CHECK: hourglass.deconv
func.func @deconv(%x: tensor<1x4x8x8xf32>) -> tensor<1x6x8x8xf32> {
  %w = hourglass.weight "d.weight" init "he" : tensor<4x3x1x1xf32>
  %m = hourglass.weight "d.norm.running_mean" init "zero" {running} : tensor<6xf32>
  %v = hourglass.weight "d.norm.running_var" init "one" {running} : tensor<6xf32>
  %c = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, groups = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x6x8x8xf32>
  %n = hourglass.norm %c, %m, %v {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x6x8x8xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<1x6x8x8xf32>
  return %n : tensor<1x6x8x8xf32>
}

// Somebody else reads the convolution: it stays, the norm becomes an affine.
// CHECK-LABEL: func @shared
// CHECK: %[[C:.*]] = hourglass.conv
// CHECK: %[[A:.*]] = hourglass.affine %[[C]]
// CHECK: hourglass.add %[[C]], %[[A]]
func.func @shared(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %m = hourglass.weight "n.running_mean" init "zero" {running} : tensor<3xf32>
  %v = hourglass.weight "n.running_var" init "one" {running} : tensor<3xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %n = hourglass.norm %c, %m, %v {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x8x8xf32>
  %s = hourglass.add %c, %n : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %s : tensor<1x3x8x8xf32>
}

// Dropout is the identity when inferring.
// CHECK-LABEL: func @dropout
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x8x8xf32>
// CHECK-NEXT: return %[[X]]
func.func @dropout(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %d = hourglass.dropout %x {rate = 0.5} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %d : tensor<1x3x8x8xf32>
}

// Of two norms in a row one is folded: weights are scaled once.
// CHECK-LABEL: func @twice
// CHECK-COUNT-1: hourglass.scale_weight
// CHECK-NOT: hourglass.scale_weight
// CHECK: %[[C:.*]] = hourglass.conv
// CHECK: hourglass.affine %[[C]]
func.func @twice(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %m = hourglass.weight "n.running_mean" init "zero" {running} : tensor<3xf32>
  %v = hourglass.weight "n.running_var" init "one" {running} : tensor<3xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %n = hourglass.norm %c, %m, %v {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x8x8xf32>
  %o = hourglass.norm %n, %v, %m {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x8x8xf32>
  return %o : tensor<1x3x8x8xf32>
}

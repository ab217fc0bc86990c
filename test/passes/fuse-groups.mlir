// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups))' | FileCheck %s

// Convolution, residual and activation are one kernel; the group stands where the residual is known.
// CHECK-LABEL: func @residual
// CHECK: %[[A:.*]] = hourglass.group
// CHECK: hourglass.activation
// CHECK: hourglass.group(%{{.*}}, %{{.*}}, %[[A]])
// CHECK: hourglass.conv
// CHECK-NEXT: hourglass.add
// CHECK-NEXT: hourglass.activation
// CHECK-NEXT: hourglass.yield
func.func @residual(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %t = hourglass.activation %x {function = "tanh"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %s = hourglass.add %t, %c : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %r = hourglass.activation %s {function = "relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %r : tensor<1x3x8x8xf32>
}

// A value that is read twice ends its kernel; concat stays outside.
// CHECK-LABEL: func @fork
// CHECK: %[[C:.*]] = hourglass.group
// CHECK-NOT: hourglass.activation
// CHECK: %[[R:.*]] = hourglass.group(%[[C]])
// CHECK: hourglass.activation
// CHECK: hourglass.concat %[[C]], %[[R]]
func.func @fork(%x: tensor<1x3x8x8xf32>) -> tensor<1x6x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %r = hourglass.activation %c {function = "relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %k = hourglass.concat %c, %r : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x6x8x8xf32>
  return %k : tensor<1x6x8x8xf32>
}

// Reading extents keeps nothing alive: the convolution still fuses, and unpool asks the result for its extents.
// CHECK-LABEL: func @pool
// CHECK: %[[C:.*]] = hourglass.group
// CHECK: hourglass.conv
// CHECK-NEXT: hourglass.activation
// CHECK: %[[P:.*]]:2 = hourglass.group(%[[C]])
// CHECK: hourglass.maxpool
// CHECK: hourglass.group(%[[P]]#0, %[[P]]#1, %[[C]])
// CHECK: hourglass.unpool
func.func @pool(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %r = hourglass.activation %c {function = "relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %p, %i = hourglass.maxpool %r {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>) -> (tensor<1x3x4x4xf32>, tensor<1x3x4x4xi8>)
  %u = hourglass.unpool %p, %i, %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x4x4xf32>, tensor<1x3x4x4xi8>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %u : tensor<1x3x8x8xf32>
}

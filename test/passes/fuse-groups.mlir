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

// A factor for each channel is read inside the kernel that multiplies by it; the product starts from the operand that
// has all pixels.
// CHECK-LABEL: func @excite
// CHECK: %[[S:.*]] = hourglass.group
// CHECK: hourglass.activation
// CHECK-NOT: hourglass.broadcast
// CHECK: hourglass.group(%{{.*}}, %{{.*}}, %[[S]])
// CHECK: %[[C:.*]] = hourglass.conv
// CHECK-NEXT: %[[B:.*]] = hourglass.broadcast %{{.*}}, %[[C]] :
// CHECK-NEXT: hourglass.mul %[[C]], %[[B]]
// CHECK-NEXT: hourglass.yield
func.func @excite(%x: tensor<1x3x8x8xf32>, %s: tensor<1x3x1x1xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %g = hourglass.activation %s {function = "sigmoid"} : (tensor<1x3x1x1xf32>) -> tensor<1x3x1x1xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %b = hourglass.broadcast %g, %c : (tensor<1x3x1x1xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %m = hourglass.mul %b, %c : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %m : tensor<1x3x8x8xf32>
}

// One channel repeated is a kernel of its own: channels lie side by side in the vectors of the others.
// CHECK-LABEL: func @attend
// CHECK: %[[B:.*]] = hourglass.group
// CHECK-NEXT: ^bb0
// CHECK-NEXT: hourglass.broadcast
// CHECK: hourglass.group(%{{.*}}, %[[B]])
// CHECK: hourglass.mul
func.func @attend(%x: tensor<1x3x8x8xf32>, %s: tensor<1x1x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %b = hourglass.broadcast %s, %x : (tensor<1x1x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %m = hourglass.mul %x, %b : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %m : tensor<1x3x8x8xf32>
}

// What is asked for the extents of a value must find it: the sum, which stands behind the resizing, cannot take the
// convolution in.
// CHECK-LABEL: func @extents_first
// CHECK: %[[F:.*]] = hourglass.group{{.*}} attributes {end = "upsample needs its extents before add"}
// CHECK: hourglass.conv
// CHECK: hourglass.group(%{{.*}}, %[[F]]
// CHECK: hourglass.upsample
func.func @extents_first(%x: tensor<1x3x8x8xf32>, %small: tensor<1x3x4x4xf32>) -> tensor<1x3x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  %u = hourglass.upsample %small, %c {mode = "bilinear"} : (tensor<1x3x4x4xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %s = hourglass.add %c, %u : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %s : tensor<1x3x8x8xf32>
}

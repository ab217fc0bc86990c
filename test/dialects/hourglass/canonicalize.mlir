// RUN: segc-opt %s -canonicalize | FileCheck %s

// Zeros that only a convolution reads become its padding.
// CHECK-LABEL: func @pad
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x8x8xf32>
// CHECK-NOT: hourglass.pad
// CHECK: hourglass.conv %[[X]], %{{.*}} padding = array<i64: 2, 3, 4, 5>
func.func @pad(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x12x14xf32> {
  %p = hourglass.pad %x {amount = array<i64: 1, 2, 3, 4>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x12x14xf32>
  %y = hourglass.conv %p, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x3x12x14xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x12x14xf32>
  return %y : tensor<1x4x12x14xf32>
}

// Mirrored pixels are no zeros.
// CHECK-LABEL: func @reflect
// CHECK: hourglass.pad
// CHECK: hourglass.conv
func.func @reflect(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x8x8xf32> {
  %p = hourglass.pad %x {amount = array<i64: 1, 1, 1, 1>, mode = "reflect"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x10x10xf32>
  %y = hourglass.conv %p, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x10x10xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x8x8xf32>
  return %y : tensor<1x4x8x8xf32>
}

// RUN: segc-opt %s | segc-opt | FileCheck %s

// CHECK-LABEL: func @conv
func.func @conv(%x: tensor<1x6x9x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<4xf32>) -> tensor<1x4x5x4xf32> {
  // CHECK: hourglass.conv {{.*}} {dilation = array<i64: 1, 2>, groups = 2 : i64, {{.*}}padding = array<i64: 1, 2, 1, 2>, stride = array<i64: 2, 2>}
  %y = hourglass.conv %x, %w, %b {operandSegmentSizes = array<i32: 1, 1, 1, 0>, stride = array<i64: 2, 2>, padding = array<i64: 1, 2, 1, 2>, dilation = array<i64: 1, 2>, groups = 2 : i64} : (tensor<1x6x9x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x5x4xf32>
  return %y : tensor<1x4x5x4xf32>
}

// "same" gives ceil(in / stride), also where the extent is unknown.
// CHECK-LABEL: func @same
func.func @same(%x: tensor<1x3x7x?xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x4x?xf32> {
  // CHECK: same
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>, same} : (tensor<1x3x7x?xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x4x?xf32>
  return %y : tensor<1x4x4x?xf32>
}

// CHECK-LABEL: func @deconv
func.func @deconv(%x: tensor<1x4x5x5xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x4x10x10xf32> {
  // CHECK: hourglass.deconv {{.*}} output_padding = array<i64: 1, 1>
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, output_padding = array<i64: 1, 1>, groups = 2 : i64} : (tensor<1x4x5x5xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x10x10xf32>
  return %y : tensor<1x4x10x10xf32>
}

// A deconvolution with a like operand restores the extents that the convolution rounded away.
// CHECK-LABEL: func @mirror
func.func @mirror(%x: tensor<1x4x4x4xf32>, %w: tensor<4x2x3x3xf32>, %like: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
  // CHECK: hourglass.deconv
  %y = hourglass.deconv %x, %w, %like {operandSegmentSizes = array<i32: 1, 1, 0, 1>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4x4xf32>, tensor<4x2x3x3xf32>, tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  return %y : tensor<1x2x8x8xf32>
}

// A ceil pool of 45 x 60 (SegNet on CamVid) and the unpool that undoes it.
// CHECK-LABEL: func @pool
func.func @pool(%x: tensor<1x2x45x60xf32>) -> tensor<1x2x45x60xf32> {
  // CHECK: hourglass.maxpool {{.*}} {ceil, kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : {{.*}} -> (tensor<1x2x23x30xf32>, tensor<1x2x23x30xi8>)
  %y, %i = hourglass.maxpool %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, ceil} : (tensor<1x2x45x60xf32>) -> (tensor<1x2x23x30xf32>, tensor<1x2x23x30xi8>)
  // CHECK: hourglass.unpool
  %z = hourglass.unpool %y, %i, %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x2x23x30xf32>, tensor<1x2x23x30xi8>, tensor<1x2x45x60xf32>) -> tensor<1x2x45x60xf32>
  return %z : tensor<1x2x45x60xf32>
}

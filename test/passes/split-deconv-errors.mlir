// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-deconv))' -verify-diagnostics

// What a stride of 2 rounds away depends on the extents.
func.func @gradient(%dy: tensor<1x4x?x?xf32>, %x: tensor<1x3x?x?xf32>) -> tensor<1x3x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<4x3x3x3xf32>
  // expected-error @+1 {{the gradient of what a strided convolution reads depends on its extents: give the inputs numbers instead of "?" for height and width}}
  %dx = hourglass.deconv %dy, %w, %x {operandSegmentSizes = array<i32: 1, 1, 0, 1>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x4x?x?xf32>, tensor<4x3x3x3xf32>, tensor<1x3x?x?xf32>) -> tensor<1x3x?x?xf32>
  return %dx : tensor<1x3x?x?xf32>
}

// RUN: segc-opt %s --split-input-file --pass-pipeline='builtin.module(segc-infer{isa=avx512})' | FileCheck %s

// The kernel of a dilated convolution stores the phases of its result as axes.
// CHECK: plan.kernel {{.*}}d2x4{{.*}}"winograd
// CHECK: plan.program @run
// CHECK: plan.view {{.*}} phases [2, 4]
func.func @main(%x: tensor<1x32x32x32xf32> {hourglass.name = "x"}) -> (tensor<1x32x32x32xf32> {hourglass.name = "y"}) {
  %w = hourglass.weight "c.weight" init "he" : tensor<32x32x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 2, 4, 2, 4>, dilation = array<i64: 2, 4>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x32x32x32xf32>, tensor<32x32x3x3xf32>) -> tensor<1x32x32x32xf32>
  return %c : tensor<1x32x32x32xf32>
}

// -----

// Tiles of 16 phases reach far beyond 20 pixels: the direct sum computes less.
// CHECK: plan.kernel {{.*}}d16x16{{.*}}"direct
// CHECK-NOT: phases [
func.func @main(%x: tensor<1x32x20x20xf32> {hourglass.name = "x"}) -> (tensor<1x32x20x20xf32> {hourglass.name = "y"}) {
  %w = hourglass.weight "c.weight" init "he" : tensor<32x32x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 16, 16, 16, 16>, dilation = array<i64: 16, 16>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x32x20x20xf32>, tensor<32x32x3x3xf32>) -> tensor<1x32x20x20xf32>
  return %c : tensor<1x32x20x20xf32>
}

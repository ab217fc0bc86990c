// RUN: not segc-opt %s --pass-pipeline='builtin.module(func.func(hg-schedule{isa=sse9}))' 2>&1 | FileCheck %s --check-prefix=ISA
// RUN: segc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(hg-schedule))'

// ISA: error: unknown instruction set 'sse9': avx512, avx2 or portable
func.func @empty(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
  // expected-error @+1 {{computes nothing}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x8xf32>):
    hourglass.yield %a : tensor<1x4x8x8xf32>
  } : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %y : tensor<1x4x8x8xf32>
}

// -----

// A kernel is an anchor and what follows pointwise: two convolutions are two kernels.
func.func @two(%x: tensor<1x4x8x8xf32>, %w: tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32> {
  %y = hourglass.group(%x, %w) {
  ^bb0(%a: tensor<1x4x8x8xf32>, %v: tensor<4x4x1x1xf32>):
    %b = hourglass.conv %a, %v {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
    // expected-error @+1 {{has no kernel: only a depthwise convolution shares one with the next}}
    %c = hourglass.conv %b, %v {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
    hourglass.yield %c : tensor<1x4x8x8xf32>
  } : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %y : tensor<1x4x8x8xf32>
}

// -----

// What an epilogue adds must come from outside.
func.func @middle(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
  // expected-error @+1 {{is no chain: an operand comes from the middle of its body}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x8xf32>):
    %b = hourglass.activation %a {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %c = hourglass.activation %b {function = "tanh"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %d = hourglass.add %c, %b : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    hourglass.yield %d : tensor<1x4x8x8xf32>
  } : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %y : tensor<1x4x8x8xf32>
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics --verify-phase=phase=folded

// A norm that nobody wrote out reaches no kernel.
func.func @main(%x: tensor<1x6x8x8xf32>) -> tensor<1x6x8x8xf32> {
  // expected-error @+1 {{must be gone after folding}}
  %y = hourglass.group_norm %x {groups = 3 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (tensor<1x6x8x8xf32>) -> tensor<1x6x8x8xf32>
  return %y : tensor<1x6x8x8xf32>
}

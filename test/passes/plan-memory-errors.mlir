// RUN: segc-opt %s -split-input-file -verify-diagnostics --plan-memory

// expected-error @+1 {{plan-memory needs @main, @prepare (hg-hoist-weights) and a known instruction set}}
module {
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  return %x : tensor<1x3x8x8xf32>
}
}

// -----

// Other dialects have no place in a network.
module {
func.func @prepare() {
  return
}
func.func @other(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  return %x : tensor<1x3x8x8xf32>
}
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  // expected-error @+1 {{is no hourglass op: it cannot be planned}}
  %y = func.call @other(%x) : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %y : tensor<1x3x8x8xf32>
}
}

// -----

// Kernels read packed weights only.
module {
func.func @prepare() -> tensor<4x3x1x1xf32> {
  // expected-error @+1 {{must be packed before @main reads it}}
  %w = hourglass.weight "w" init "he" : tensor<4x3x1x1xf32>
  return %w : tensor<4x3x1x1xf32>
}
func.func @main(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x1x1xf32> {hourglass.prepared = 0 : i64}) -> tensor<1x3x8x8xf32> {
  return %x : tensor<1x3x8x8xf32>
}
}

// -----

module {
func.func @prepare() -> tensor<64xf32> {
  %w = hourglass.weight "w" init "he" : tensor<4xf32>
  // expected-error @+1 {{pack_vctor}}
  %p = hourglass.pack %w {problem = "pack_vctor : f32", extents = array<i64: 64>} : (tensor<4xf32>) -> tensor<64xf32>
  return %p : tensor<64xf32>
}
func.func @main(%x: tensor<1x3x8x8xf32>, %w: tensor<64xf32> {hourglass.prepared = 0 : i64}) -> tensor<1x3x8x8xf32> {
  return %x : tensor<1x3x8x8xf32>
}
}

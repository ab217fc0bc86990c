// RUN: segc-opt %s -split-input-file -verify-diagnostics --hg-hoist-weights

// expected-error @+1 {{has no @main}}
module {
}

// -----

// expected-error @+1 {{already has a @prepare}}
module {
func.func @prepare() {
  return
}
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  return %x : tensor<1x3x8x8xf32>
}
}

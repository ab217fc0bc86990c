// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @rank(%x: tensor<1x3x4xf32>, %like: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{needs rank-4 operands}}
  %y = hourglass.broadcast %x, %like : (tensor<1x3x4xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @axes(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{`axes` must be rising numbers from 0 to 3}}
  %y = hourglass.reduce_sum %x {axes = array<i64: 2, 1>} : (tensor<1x3x4x5xf32>) -> tensor<1x1x1x5xf32>
  return
}

// -----

func.func @twice(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{`axes` must be rising numbers from 0 to 3}}
  %y = hourglass.reduce_sum %x {axes = array<i64: 1, 1>} : (tensor<1x3x4x5xf32>) -> tensor<1x1x4x5xf32>
  return
}

// -----

func.func @mul(%x: tensor<1x3x4x5xf32>, %z: tensor<1x1x4x5xf32>) {
  // expected-error @+1 {{operands differ in channels (3 and 1)}}
  %y = hourglass.mul %x, %z : (tensor<1x3x4x5xf32>, tensor<1x1x4x5xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @factor(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{factor must be finite}}
  %y = hourglass.scale %x {factor = 0x7FF0000000000000 : f64} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

// A dense layer's window must be its whole operand.
func.func @whole(%x: tensor<1x3x4x5xf32>, %w: tensor<2x3x3x5xf32>) {
  // expected-error @+1 {{a dense layer has weights for a height of 3: result height}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, whole} : (tensor<1x3x4x5xf32>, tensor<2x3x3x5xf32>) -> tensor<1x2x2x1xf32>
  return
}

// -----

func.func @stored() {
  // expected-error @+1 {{`stored` must have as many elements as the tensor}}
  %w = hourglass.weight "d.weight" init "he" {stored = array<i64: 2, 46>} : tensor<2x3x3x5xf32>
  return
}

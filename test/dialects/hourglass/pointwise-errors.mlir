// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @add(%x: tensor<1x3x4x5xf32>, %z: tensor<1x3x4x6xf32>) {
  // expected-error @+1 {{operands differ in width (5 and 6)}}
  %a = hourglass.add %x, %z : (tensor<1x3x4x5xf32>, tensor<1x3x4x6xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @concat(%x: tensor<1x3x4x5xf32>, %z: tensor<1x3x8x5xf32>) {
  // expected-error @+1 {{operands differ in height; "crop": "center" crops all of them to the smallest (4 and 8)}}
  %a = hourglass.concat %x, %z : (tensor<1x3x4x5xf32>, tensor<1x3x8x5xf32>) -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @unknown(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{unknown activation rlu}}
  %a = hourglass.activation %x {function = "rlu"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @slope(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{a slope vector goes with prelu, and only with it}}
  %a = hourglass.activation %x {function = "prelu"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @alpha(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{relu takes no alpha}}
  %a = hourglass.activation %x {function = "relu", alpha = 0.1} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @norm(%x: tensor<1x3x4x5xf32>, %m: tensor<4xf32>) {
  // expected-error @+1 {{each vector must have one value per channel (3)}}
  %a = hourglass.norm %x, %m, %m {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x3x4x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @eps(%x: tensor<1x3x4x5xf32>, %m: tensor<3xf32>) {
  // expected-error @+1 {{eps must be positive}}
  %a = hourglass.norm %x, %m, %m {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>, eps = 0.0 : f64} : (tensor<1x3x4x5xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x4x5xf32>
  return
}

// -----

func.func @slice(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{the slice ends beyond the operand's channels (3, at least 4)}}
  %a = hourglass.slice %x {offset = 2 : i64, size = 2 : i64} : (tensor<1x3x4x5xf32>) -> tensor<1x2x4x5xf32>
  return
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @count(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{a reshape keeps the number of elements (120 and 112)}}
  %y = hourglass.reshape %x {shape = array<i64: 2, 4, 14, 1>} : (tensor<2x3x4x5xf32>) -> tensor<2x4x14x1xf32>
  return
}

// -----

func.func @rest(%x: tensor<2x3x4x5xf32>) {
  // 120 = 2 * 7 * 8 + 8
  // expected-error @+1 {{a reshape keeps the number of elements (120 and 112)}}
  %y = hourglass.reshape %x {shape = array<i64: 0, 7, -1, 1>} : (tensor<2x3x4x5xf32>) -> tensor<2x7x8x1xf32>
  return
}

// -----

func.func @channels(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{the channels of the result must be a number}}
  %y = hourglass.reshape %x {shape = array<i64: 0, -1, 1, 1>} : (tensor<2x3x4x5xf32>) -> tensor<2x60x1x1xf32>
  return
}

// -----

func.func @two(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{shape has more than one -1}}
  %y = hourglass.reshape %x {shape = array<i64: -1, 3, -1, 1>} : (tensor<2x3x4x5xf32>) -> tensor<2x3x20x1xf32>
  return
}

// -----

func.func @shape(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{needs either a shape or a like operand}}
  %y = hourglass.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  return
}

// -----

func.func @perm(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{perm must hold each of 0, 1, 2, 3 once}}
  %y = hourglass.transpose %x {perm = array<i64: 0, 1, 2, 2>} : (tensor<2x3x4x5xf32>) -> tensor<2x3x4x4xf32>
  return
}

// -----

func.func @which(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{needs channels exactly where another axis becomes the channels}}
  %y = hourglass.transpose %x {perm = array<i64: 0, 2, 1, 3>} : (tensor<2x3x4x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @fixed(%x: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{the transpose makes channels of the operand's height, which cannot change (4 and 6)}}
  %y = hourglass.transpose %x {perm = array<i64: 0, 2, 1, 3>, channels = 6 : i64} : (tensor<2x3x4x5xf32>) -> tensor<2x6x3x5xf32>
  return
}

// -----

func.func @large(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{a window of 6 pixels is larger than the width of the image: positions (0, at least 1)}}
  %y = hourglass.windows %x {kernel = array<i64: 4, 6>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x6xf32>
  return
}

// -----

func.func @kernel(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{kernel and stride must be positive, padding not negative}}
  %y = hourglass.positions %x {kernel = array<i64: 4, 0>} : (tensor<1x3x4x5xf32>) -> tensor<1x1x1x6xf32>
  return
}

// -----

func.func @batch(%x: tensor<5x3x2x2xf32>, %like: tensor<1x3x3x4xf32>) {
  // expected-error @+1 {{the operand has another number of windows than `like` has positions (5 and 6)}}
  %y = hourglass.windows_transpose %x, %like {kernel = array<i64: 2, 2>} : (tensor<5x3x2x2xf32>, tensor<1x3x3x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

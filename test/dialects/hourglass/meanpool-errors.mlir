// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @padding(%x: tensor<1x3x7x8xf32>) {
  // expected-error @+1 {{padding must lie between 0 and half of what the window spans (3 pixels)}}
  %a = hourglass.avgpool %x {kernel = array<i64: 3, 3>, stride = array<i64: 1, 1>, padding = array<i64: 2, 0, 0, 0>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x7x6xf32>
  return
}

// -----

func.func @large(%x: tensor<1x3x7x8xf32>) {
  // expected-error @+1 {{the window spans 9 pixels, more than the padded height of its operand (-1, at least 1)}}
  %a = hourglass.avgpool %x {kernel = array<i64: 9, 2>, stride = array<i64: 1, 1>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x1x7xf32>
  return
}

// -----

func.func @stride(%x: tensor<1x3x7x8xf32>) {
  // expected-error @+1 {{kernel, stride and dilation must be positive}}
  %a = hourglass.avgpool %x {kernel = array<i64: 2, 2>, stride = array<i64: 0, 1>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x1x7xf32>
  return
}

// -----

func.func @transpose(%y: tensor<1x3x3x4xf32>, %x: tensor<1x3x9x8xf32>) {
  // expected-error @+1 {{the pool of `like` does not give this operand's height (3 and 4)}}
  %a = hourglass.avgpool_transpose %y, %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x3x4xf32>, tensor<1x3x9x8xf32>) -> tensor<1x3x9x8xf32>
  return
}

// -----

func.func @size(%x: tensor<1x3x7x8xf32>) {
  // expected-error @+1 {{size needs two numbers, none negative}}
  %a = hourglass.adaptive_avgpool %x {size = array<i64: -1, 2>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x1x2xf32>
  return
}

// -----

func.func @both(%x: tensor<1x3x7x8xf32>) {
  // expected-error @+1 {{needs either size or a like operand}}
  %a = hourglass.adaptive_avgpool %x, %x {size = array<i64: 1, 2>} : (tensor<1x3x7x8xf32>, tensor<1x3x7x8xf32>) -> tensor<1x3x1x2xf32>
  return
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @channels(%x: tensor<1x5x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{the operand has 5 channels, the weight is made for 3}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x5x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

func.func @result(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{result #0 is 'tensor<1x4x8x8xf32>', but the operands give 'tensor<1x4x6x6xf32>'}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @tooLarge(%x: tensor<1x3x4x4xf32>, %w: tensor<4x3x7x7xf32>) {
  // expected-error @+1 {{the kernel spans 7 pixels, more than the padded height of its operand}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x4x4xf32>, tensor<4x3x7x7xf32>) -> tensor<1x4x1x1xf32>
  return
}

// -----

func.func @groups(%x: tensor<1x6x8x8xf32>, %w: tensor<4x2x1x1xf32>) {
  // expected-error @+1 {{channels 6 and the weight's first extent 4 must be multiples of groups = 3}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, groups = 3 : i64} : (tensor<1x6x8x8xf32>, tensor<4x2x1x1xf32>) -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @stride(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x1x1xf32>) {
  // expected-error @+1 {{stride and dilation must be positive}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 0, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @bias(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x1x1xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{the bias must have one value per output channel}}
  %y = hourglass.conv %x, %w, %b {operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>, tensor<3xf32>) -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @outputPadding(%x: tensor<1x3x8x8xf32>, %w: tensor<3x4x3x3xf32>) {
  // expected-error @+1 {{output_padding 2 must be smaller than the stride or the dilation}}
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>, output_padding = array<i64: 2, 0>} : (tensor<1x3x8x8xf32>, tensor<3x4x3x3xf32>) -> tensor<1x4x19x17xf32>
  return
}

// -----

func.func @mirror(%x: tensor<1x3x8x8xf32>, %w: tensor<3x4x3x3xf32>, %like: tensor<1x4x30x30xf32>) {
  // expected-error @+1 {{the convolution of `like` does not give this operand's height (14 and 8)}}
  %y = hourglass.deconv %x, %w, %like {operandSegmentSizes = array<i32: 1, 1, 0, 1>, stride = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>, tensor<3x4x3x3xf32>, tensor<1x4x30x30xf32>) -> tensor<1x4x30x30xf32>
  return
}

// -----

func.func @poolPadding(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{padding must lie between 0 and half of what the window spans (2 pixels)}}
  %y, %i = hourglass.maxpool %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = array<i64: 2, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> (tensor<1x3x5x4xf32>, tensor<1x3x5x4xi8>)
  return
}

// -----

func.func @poolIndex(%x: tensor<1x3x40x40xf32>) {
  // expected-error @+1 {{the window has 289 pixels; its one-byte index reaches 256}}
  %y, %i = hourglass.maxpool %x {kernel = array<i64: 17, 17>, stride = array<i64: 1, 1>} : (tensor<1x3x40x40xf32>) -> (tensor<1x3x24x24xf32>, tensor<1x3x24x24xi8>)
  return
}

// -----

func.func @unpool(%v: tensor<1x3x4x4xf32>, %i: tensor<1x3x5x5xi8>, %x: tensor<1x3x10x10xf32>) {
  // expected-error @+1 {{the value's height must equal that of the pool it undoes (4 and 5)}}
  %y = hourglass.unpool %v, %i, %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x4x4xf32>, tensor<1x3x5x5xi8>, tensor<1x3x10x10xf32>) -> tensor<1x3x10x10xf32>
  return
}

// -----

func.func @huge(%x: tensor<1x64x65536x65536xf32>, %w: tensor<64x64x1x1xf32>) {
  // expected-error @+1 {{result has more than 2^31 - 1 elements}}
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x65536x65536xf32>, tensor<64x64x1x1xf32>) -> tensor<1x64x65536x65536xf32>
  return
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @mode(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{mode must be nearest, bilinear, bicubic or zeros, not cubic}}
  %a = hourglass.upsample %x {mode = "cubic", size = array<i64: 6, 6>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x6x6xf32>
  return
}

// -----

func.func @both(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{needs exactly one of a like operand, size and scale}}
  %a = hourglass.upsample %x, %x {mode = "nearest", size = array<i64: 6, 6>} : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x6x6xf32>
  return
}

// -----

func.func @corners(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{align_corners needs mode bilinear or bicubic}}
  %a = hourglass.upsample %x {mode = "zeros", align_corners, size = array<i64: 6, 6>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x6x6xf32>
  return
}

// -----

func.func @crop(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{the window reaches beyond the operand's height (-1, at least 0)}}
  %a = hourglass.crop %x {size = array<i64: 3, 3>, offset = array<i64: 2, 0>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x3x3xf32>
  return
}

// -----

func.func @reflect(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{reflection needs more pixels than it pads: the operand's height (4, at least 5)}}
  %a = hourglass.pad %x {amount = array<i64: 4, 0, 0, 0>, mode = "reflect"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x8x5xf32>
  return
}

// -----

func.func @interleave(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{needs one phase for each of stride_h * stride_w positions}}
  %a = hourglass.interleave %x, %x {stride = array<i64: 2, 2>} : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x8x5xf32>
  return
}

// -----

func.func @phase(%x: tensor<1x3x4x5xf32>, %z: tensor<1x3x2x5xf32>) {
  // expected-error @+1 {{phase #0 has wrong extents}}
  %a = hourglass.interleave %x, %z {stride = array<i64: 2, 1>} : (tensor<1x3x4x5xf32>, tensor<1x3x2x5xf32>) -> tensor<1x3x6x5xf32>
  return
}

// -----

func.func @phaseOffset(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{needs strides from 1 on and offsets below them}}
  %a = hourglass.phase %x {stride = array<i64: 2, 2>, offset = array<i64: 0, 2>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x2x2xf32>
  return
}

// -----

func.func @phaseAxes(%x: tensor<1x3x4x5xf32>) {
  // expected-error @+1 {{needs a stride and an offset for each axis}}
  %a = hourglass.phase %x {stride = array<i64: 2>, offset = array<i64: 0, 1>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x2x2xf32>
  return
}

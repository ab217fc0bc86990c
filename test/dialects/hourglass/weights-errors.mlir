// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @dynamic() {
  // expected-error @+1 {{must be a tensor of rank 1 to 4 with known extents}}
  %w = hourglass.weight "w" init "he" : tensor<4x?xf32>
  return
}

// -----

func.func @rank() {
  // expected-error @+1 {{must be a tensor of rank 1 to 4 with known extents}}
  %w = hourglass.weight "w" init "he" : tensor<1x1x1x1x1xf32>
  return
}

// -----

func.func @normScale(%g: tensor<4xf32>, %v: tensor<5xf32>) {
  // expected-error @+1 {{needs vectors of equal length}}
  %s = hourglass.norm_scale %g, %v {eps = 1.0e-5 : f64} : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @normShift(%m: tensor<4xf32>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{needs vectors of equal length}}
  %t = hourglass.norm_shift %m, %s {operandSegmentSizes = array<i32: 0, 1, 1, 0>} : (tensor<4xf32>, tensor<4x1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @scaleLength(%w: tensor<4x3x2x2xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{needs one scale per output channel}}
  %t = hourglass.scale_weight %w, %s : (tensor<4x3x2x2xf32>, tensor<3xf32>) -> tensor<4x3x2x2xf32>
  return
}

// -----

// A deconvolution's output channels are the second extent: 3, not 4.
func.func @scaleDeconv(%w: tensor<4x3x2x2xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{needs one scale per output channel}}
  %t = hourglass.scale_weight %w, %s {deconv} : (tensor<4x3x2x2xf32>, tensor<4xf32>) -> tensor<4x3x2x2xf32>
  return
}

// -----

func.func @scaleRank(%w: tensor<4xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{needs a weight and a vector}}
  %t = hourglass.scale_weight %w, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @phaseRank(%w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{needs a rank-4 weight and two firsts, steps and taps}}
  %t = hourglass.phase_weight %w {first = array<i64: 0>, step = array<i64: 2, 2>, taps = array<i64: 1, 1>} : (tensor<4x3x2x2xf32>) -> tensor<3x4x1x1xf32>
  return
}

// -----

func.func @phaseGroups(%w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{groups must divide the input channels}}
  %t = hourglass.phase_weight %w {first = array<i64: 0, 0>, step = array<i64: 2, 2>, taps = array<i64: 1, 1>, groups = 3 : i64} : (tensor<4x3x2x2xf32>) -> tensor<9x1x1x1xf32>
  return
}

// -----

func.func @packExtents(%w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{result #0 is 'tensor<64xf32>', but the operands give 'tensor<128xf32>'}}
  %t = hourglass.pack %w {problem = "pack_vector : f32", extents = array<i64: 128>} : (tensor<4x3x2x2xf32>) -> tensor<64xf32>
  return
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @kernel(%x: tensor<1x3x8x8xf32>, %dy: tensor<1x4x6x6xf32>) {
  // expected-error @+1 {{needs two kernel extents, strides and dilations and four paddings}}
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3>} : (tensor<1x3x8x8xf32>, tensor<1x4x6x6xf32>) -> tensor<4x3x3x3xf32>
  return
}

// -----

func.func @stride(%x: tensor<1x3x8x8xf32>, %dy: tensor<1x4x6x6xf32>) {
  // expected-error @+1 {{kernel, stride and dilation must be positive}}
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3, 3>, stride = array<i64: 1, 0>} : (tensor<1x3x8x8xf32>, tensor<1x4x6x6xf32>) -> tensor<4x3x3x3xf32>
  return
}

// -----

func.func @groups(%x: tensor<1x3x8x8xf32>, %dy: tensor<1x4x6x6xf32>) {
  // expected-error @+1 {{channels must be known multiples of groups}}
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3, 3>, groups = 2 : i64} : (tensor<1x3x8x8xf32>, tensor<1x4x6x6xf32>) -> tensor<4x3x3x3xf32>
  return
}

// -----

func.func @batch(%x: tensor<1x3x8x8xf32>, %dy: tensor<2x4x6x6xf32>) {
  // expected-error @+1 {{operands differ in batch (1 and 2)}}
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3, 3>} : (tensor<1x3x8x8xf32>, tensor<2x4x6x6xf32>) -> tensor<4x3x3x3xf32>
  return
}

// -----

func.func @rank(%x: tensor<3x8x8xf32>, %dy: tensor<1x4x6x6xf32>) {
  // expected-error @+1 {{needs rank-4 operands}}
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3, 3>} : (tensor<3x8x8xf32>, tensor<1x4x6x6xf32>) -> tensor<4x3x3x3xf32>
  return
}

// -----

func.func @weightResult(%x: tensor<1x3x8x8xf32>, %dy: tensor<1x4x6x6xf32>) {
  // expected-error @+1 {{result #0 is 'tensor<3x4x3x3xf32>', but the operands give 'tensor<4x3x3x3xf32>'}}
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3, 3>} : (tensor<1x3x8x8xf32>, tensor<1x4x6x6xf32>) -> tensor<3x4x3x3xf32>
  return
}

// -----

func.func @function(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{unknown activation swish}}
  %a = hourglass.activation_grad %x, %x {function = "swish"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @slope(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{a slope vector goes with prelu, and only with it}}
  %a = hourglass.activation_grad %x, %x {function = "prelu"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @slopeless(%x: tensor<1x3x8x8xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{a slope vector goes with prelu, and only with it}}
  %a = hourglass.activation_grad %x, %x, %s {function = "relu"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>, tensor<3xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @slopes(%x: tensor<1x3x8x8xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{each vector must have one value per channel}}
  %a = hourglass.activation_grad %x, %x, %s {function = "prelu"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>, tensor<4xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @value(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{the derivative of gelu needs the operand, not the value}}
  %a = hourglass.activation_grad %x, %x {function = "gelu", from_value} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @saved(%x: tensor<1x3x8x8xf32>, %y: tensor<1x3x7x8xf32>) {
  // expected-error @+1 {{operands differ in height (8 and 7)}}
  %a = hourglass.activation_grad %x, %y {function = "relu"} : (tensor<1x3x8x8xf32>, tensor<1x3x7x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @softmax(%x: tensor<1x3x8x8xf32>, %y: tensor<1x2x8x8xf32>) {
  // expected-error @+1 {{operands differ in channels (3 and 2)}}
  %a = hourglass.softmax_grad %x, %y : (tensor<1x3x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @logSoftmax(%x: tensor<1x3x8x8xf32>, %y: tensor<1x3x8x9xf32>) {
  // expected-error @+1 {{operands differ in width (8 and 9)}}
  %a = hourglass.log_softmax_grad %x, %y : (tensor<1x3x8x8xf32>, tensor<1x3x8x9xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @padMode(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{mode must be reflect or replicate, not zero}}
  %a = hourglass.pad_transpose %x, %x {mode = "zero", amount = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @padAmount(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{amount needs four numbers, none negative}}
  %a = hourglass.pad_transpose %x, %x {mode = "reflect", amount = array<i64: 1, -1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @padLike(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{the operand is no padded `like` (8 and 9)}}
  %a = hourglass.pad_transpose %x, %x {mode = "reflect", amount = array<i64: 1, 0, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @seed() {
  // expected-error @+1 {{result #0 is 'tensor<3xi32>', but the operands give 'tensor<2xi32>'}}
  %a = hourglass.step_seed : () -> tensor<3xi32>
  return
}

// -----

func.func @rate(%x: tensor<1x3x8x8xf32>, %s: tensor<2xi32>) {
  // expected-error @+1 {{rate must lie in [0, 1)}}
  %a = hourglass.drop %x, %s {rate = 1.0, site = 0 : i64} : (tensor<1x3x8x8xf32>, tensor<2xi32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @kind(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{kind must be sum, stats, product or negative, not mean}}
  %a = hourglass.channel_sums %x {kind = "mean"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x1xf64>
  return
}

// -----

func.func @second(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{a second operand goes with the kinds product and negative, and only with them}}
  %a = hourglass.channel_sums %x {kind = "product"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x3xf64>
  return
}

// -----

func.func @noSecond(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{a second operand goes with the kinds product and negative, and only with them}}
  %a = hourglass.channel_sums %x, %x {kind = "stats"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x3xf64>
  return
}

// -----

func.func @factors(%x: tensor<1x3x8x8xf32>, %y: tensor<1x3x8x4xf32>) {
  // expected-error @+1 {{operands differ in width (8 and 4)}}
  %a = hourglass.channel_sums %x, %y {kind = "product"} : (tensor<1x3x8x8xf32>, tensor<1x3x8x4xf32>) -> tensor<1x3x8x3xf64>
  return
}

// -----

func.func @columns(%s: tensor<1x3x8x3xf64>) {
  // expected-error @+1 {{needs sums of 1 columns}}
  %a = hourglass.finish_sum %s : (tensor<1x3x8x3xf64>) -> tensor<3xf32>
  return
}

// -----

func.func @statistics(%s: tensor<1x3x8x1xf64>) {
  // expected-error @+1 {{needs sums of 3 columns}}
  %a, %b = hourglass.finish_stats %s : (tensor<1x3x8x1xf64>) -> (tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @normSums(%s: tensor<1x3x8x1xf64>, %v: tensor<3xf32>) {
  // expected-error @+1 {{needs sums of 3 columns}}
  %a, %b, %c, %d, %e = hourglass.finish_norm_grad %s, %v, %v {eps = 1.0e-5} : (tensor<1x3x8x1xf64>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @normVectors(%s: tensor<1x3x8x3xf64>, %v: tensor<3xf32>, %w: tensor<2xf32>) {
  // expected-error @+1 {{each vector must have one value per channel}}
  %a, %b, %c, %d, %e = hourglass.finish_norm_grad %s, %v, %v, %w {eps = 1.0e-5} : (tensor<1x3x8x3xf64>, tensor<3xf32>, tensor<3xf32>, tensor<2xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @normGrad(%x: tensor<1x3x8x8xf32>, %y: tensor<2x3x8x8xf32>, %v: tensor<3xf32>) {
  // expected-error @+1 {{operands differ in batch (1 and 2)}}
  %a = hourglass.norm_grad %x, %y, %v, %v, %v : (tensor<1x3x8x8xf32>, tensor<2x3x8x8xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @normGradVectors(%x: tensor<1x3x8x8xf32>, %v: tensor<3xf32>, %w: tensor<1xf32>) {
  // expected-error @+1 {{each vector must have one value per channel}}
  %a = hourglass.norm_grad %x, %x, %v, %v, %w : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>, tensor<3xf32>, tensor<3xf32>, tensor<1xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @running(%v: tensor<3xf32>, %w: tensor<2xf32>, %s: tensor<1x3x8x3xf64>) {
  // expected-error @+1 {{each vector must have one value per channel}}
  %a = hourglass.running_update %v, %w, %s {momentum = 0.1} : (tensor<3xf32>, tensor<2xf32>, tensor<1x3x8x3xf64>) -> tensor<3xf32>
  return
}

// -----

func.func @runningSums(%v: tensor<3xf32>, %s: tensor<1x3x8x1xf64>) {
  // expected-error @+1 {{needs sums of 3 columns}}
  %a = hourglass.running_update %v, %v, %s {momentum = 0.1} : (tensor<3xf32>, tensor<3xf32>, tensor<1x3x8x1xf64>) -> tensor<3xf32>
  return
}

// -----

func.func @sum(%v: tensor<3xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{operands differ in extents}}
  %a = hourglass.sum_weights %v, %w : (tensor<3xf32>, tensor<4xf32>) -> tensor<3xf32>
  return
}

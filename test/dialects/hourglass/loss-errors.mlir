// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @kind(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{unknown loss hinge}}
  %a = hourglass.loss %x, %t {kind = "hinge"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @reduction(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{reduction must be mean or sum}}
  %a = hourglass.loss %x, %t {kind = "dice", reduction = "none"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @classWeights(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{class weights go with cross_entropy}}
  %a = hourglass.loss %x, %t {kind = "focal", class_weights = array<f64: 1.0, 1.0, 1.0>} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @perImage(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{per_image goes with dice and soft_iou}}
  %a = hourglass.loss %x, %t {kind = "cross_entropy", per_image} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @rank(%x: tensor<2x3x8x8xf32>, %t: tensor<2x8x8xf32>) {
  // expected-error @+1 {{needs rank-4 operands}}
  %a = hourglass.loss %x, %t {kind = "cross_entropy"} : (tensor<2x3x8x8xf32>, tensor<2x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @channels(%x: tensor<2x?x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{the channels must be known}}
  %a = hourglass.loss %x, %t {kind = "cross_entropy"} : (tensor<2x?x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @single(%x: tensor<2x1x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{needs an input of at least 2 channels, this one has 1; bce judges single channels}}
  %a = hourglass.loss %x, %t {kind = "cross_entropy"} : (tensor<2x1x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @weightsPerClass(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{"class_weights" has 2 numbers, the input has 3 channels}}
  %a = hourglass.loss %x, %t {kind = "cross_entropy", class_weights = array<f64: 1.0, 1.0>} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @alphaPerClass(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{"alpha" has 2 numbers, the input has 3 channels}}
  %a = hourglass.loss %x, %t {kind = "focal", alpha = array<f64: 1.0, 1.0>} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @alpha(%x: tensor<2x1x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{"alpha" must be at most 1 where the input has one channel}}
  %a = hourglass.loss %x, %t {kind = "focal", alpha = array<f64: 1.5>} : (tensor<2x1x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @labels(%x: tensor<2x3x8x8xf32>, %t: tensor<2x3x8x8xf32>) {
  // expected-error @+1 {{the target must have the extents [N, H, W], one number a pixel; here are 3 channels}}
  %a = hourglass.loss %x, %t {kind = "cross_entropy"} : (tensor<2x3x8x8xf32>, tensor<2x3x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @elements(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{the target must have the extents [N, 3, H, W], those of the loss's input; here are 1 channels}}
  %a = hourglass.loss %x, %t {kind = "mse"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @pixelWeights(%x: tensor<2x3x8x8xf32>, %t: tensor<2x3x8x8xf32>, %w: tensor<2x3x8x8xf32>) {
  // expected-error @+1 {{the pixel weights must have the extents [N, H, W], one number a pixel; here are 3 channels}}
  %a = hourglass.loss %x, %t, %w {kind = "mse"} : (tensor<2x3x8x8xf32>, tensor<2x3x8x8xf32>, tensor<2x3x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @height(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x4x8xf32>) {
  // expected-error @+1 {{the target's height must fit the loss's input (4 and 8); "resize_target": true would resize it}}
  %a = hourglass.loss %x, %t {kind = "dice"} : (tensor<2x3x8x8xf32>, tensor<2x1x4x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @width(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>, %w: tensor<2x1x8x9xf32>) {
  // expected-error @+1 {{the pixel weights' width must fit the loss's input (9 and 8); "resize_target": true would resize them}}
  %a = hourglass.loss %x, %t, %w {kind = "dice"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>, tensor<2x1x8x9xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @batch(%x: tensor<2x3x8x8xf32>, %t: tensor<3x1x8x8xf32>) {
  // expected-error @+1 {{the target's batch must fit the loss's input (3 and 2)}}
  %a = hourglass.loss %x, %t {kind = "dice"} : (tensor<2x3x8x8xf32>, tensor<3x1x8x8xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @sums(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{result #0 is 'tensor<2x1x8x2xf64>', but the operands give 'tensor<2x3x8x3xf64>'}}
  %a = hourglass.loss_sums %x, %t {kind = "dice"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<2x1x8x2xf64>
  return
}

// -----

func.func @sumsKind(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{unknown loss hinge}}
  %a = hourglass.loss_sums %x, %t {kind = "hinge"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<2x1x8x2xf64>
  return
}

// -----

func.func @sumsTarget(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>) {
  // expected-error @+1 {{the target must have the extents [N, 3, H, W]}}
  %a = hourglass.loss_sums %x, %t {kind = "bce"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>) -> tensor<2x1x8x5xf64>
  return
}

// -----

func.func @finishKind(%s: tensor<2x1x8x2xf64>) {
  // expected-error @+1 {{unknown loss hinge}}
  %a, %b = hourglass.finish_loss %s {kind = "hinge", weight = 1.0} : (tensor<2x1x8x2xf64>) -> (tensor<1xf32>, tensor<1x1x1x1xf32>)
  return
}

// -----

func.func @finish(%s: tensor<2x2xf64>) {
  // expected-error @+1 {{needs rank-4 sums}}
  %a, %b = hourglass.finish_loss %s {kind = "l1", weight = 1.0} : (tensor<2x2xf64>) -> (tensor<1xf32>, tensor<1x1x1x1xf32>)
  return
}

// -----

func.func @coefficients(%s: tensor<2x3x8x3xf64>) {
  // expected-error @+1 {{result #1 is 'tensor<1x6x1x1xf32>', but the operands give 'tensor<2x6x1x1xf32>'}}
  %a, %b = hourglass.finish_loss %s {kind = "dice", per_image, weight = 1.0} : (tensor<2x3x8x3xf64>) -> (tensor<1xf32>, tensor<1x6x1x1xf32>)
  return
}

// -----

func.func @gradKind(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x8xf32>, %c: tensor<1x1x1x1xf32>) {
  // expected-error @+1 {{reduction must be mean or sum}}
  %a = hourglass.loss_grad %x, %t, %c {kind = "focal", reduction = "max"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x8xf32>, tensor<1x1x1x1xf32>) -> tensor<2x3x8x8xf32>
  return
}

// -----

func.func @gradTarget(%x: tensor<2x3x8x8xf32>, %t: tensor<2x1x8x7xf32>, %c: tensor<1x1x1x1xf32>) {
  // expected-error @+1 {{the target's width must fit the loss's input (7 and 8)}}
  %a = hourglass.loss_grad %x, %t, %c {kind = "focal"} : (tensor<2x3x8x8xf32>, tensor<2x1x8x7xf32>, tensor<1x1x1x1xf32>) -> tensor<2x3x8x8xf32>
  return
}

// -----

func.func @noLosses() {
  // expected-error @+1 {{needs one weight for each of at least one loss}}
  %a = hourglass.total_loss {weights = array<f64>} : () -> tensor<1xf32>
  return
}

// -----

func.func @weights(%l: tensor<1xf32>) {
  // expected-error @+1 {{needs one weight for each of at least one loss}}
  %a = hourglass.total_loss %l {weights = array<f64: 1.0, 2.0>} : (tensor<1xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @vectors(%l: tensor<2xf32>) {
  // expected-error @+1 {{needs vectors of one element}}
  %a = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

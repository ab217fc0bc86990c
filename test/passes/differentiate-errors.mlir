// RUN: segc-opt %s --split-input-file --verify-diagnostics --hg-differentiate

// expected-error @+1 {{@main must return one total loss: import the model for training}}
func.func @main(%x: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
  return %x : tensor<1x2x8x8xf32>
}

// -----

// expected-error @+1 {{nothing is trainable: every weight is frozen, or no loss depends on one}}
func.func @main(%x: tensor<1x2x8x8xf32>, %t: tensor<1x2x8x8xf32>) -> (tensor<2xf32> {hourglass.name = "loss"}) {
  %l = hourglass.loss %x, %t {kind = "mse"} : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1xf32>
  %z = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<1xf32>) -> tensor<2xf32>
  return %z : tensor<2xf32>
}

// -----

module attributes {hourglass.training = {wrt = ["y"]}} {
  // expected-error @+1 {{no loss depends on the input 'y' in "wrt"}}
  func.func @main(%x: tensor<1x2x8x8xf32> {hourglass.name = "x"}, %y: tensor<1x2x8x8xf32> {hourglass.name = "y"}, %t: tensor<1x2x8x8xf32> {hourglass.name = "t"}) -> (tensor<2xf32> {hourglass.name = "loss"}) {
    %l = hourglass.loss %x, %t {kind = "mse"} : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<1xf32>) -> tensor<2xf32>
    return %z : tensor<2xf32>
  }
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @operands(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{has 2 operands, its body takes 1}}
  %y = hourglass.group(%x, %x) {
  ^bb0(%a: tensor<1x4x8x9xf32>):
    hourglass.yield %a : tensor<1x4x8x9xf32>
  } : (tensor<1x4x8x9xf32>, tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
  return
}

// -----

func.func @types(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{body argument #0 is 'tensor<1x4x8x8xf32>', the operand 'tensor<1x4x8x9xf32>'}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x8xf32>):
    hourglass.yield %a : tensor<1x4x8x8xf32>
  } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @yields(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{body must end with a yield of 1 values}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x9xf32>):
    hourglass.yield
  } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
  return
}

// -----

func.func @result(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{result #0 is 'tensor<1x4x8x8xf32>', but the operands give 'tensor<1x4x8x9xf32>'}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x9xf32>):
    hourglass.yield %a : tensor<1x4x8x9xf32>
  } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x8xf32>
  return
}

// -----

// A weight belongs to the whole network, not to one kernel.
func.func @weight(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{body may not contain hourglass.weight}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x9xf32>):
    %w = hourglass.weight "w" init "he" : tensor<4xf32>
    hourglass.yield %a : tensor<1x4x8x9xf32>
  } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
  return
}

// -----

func.func @nested(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{body may not contain hourglass.group}}
  %y = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x8x9xf32>):
    %z = hourglass.group(%a) {
    ^bb0(%b: tensor<1x4x8x9xf32>):
      hourglass.yield %b : tensor<1x4x8x9xf32>
    } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
    hourglass.yield %z : tensor<1x4x8x9xf32>
  } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
  return
}

// -----

func.func @outside(%x: tensor<1x4x8x9xf32>) {
  // expected-error @+1 {{expects parent op 'hourglass.group'}}
  hourglass.yield %x : tensor<1x4x8x9xf32>
}

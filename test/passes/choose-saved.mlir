// RUN: segc-opt %s --split-input-file --hg-differentiate --cse --hg-choose-saved | FileCheck %s
// RUN: segc-opt %s --split-input-file --hg-differentiate --cse --hg-choose-saved=recompute=2 | FileCheck %s --check-prefix=AGAIN

// Of conv, norm, relu only the convolution's result is kept: the next layer's input and the mask are computed again,
// close to their readers, apart from the first time.
// CHECK-LABEL: func @main
// CHECK: %[[Z:.*]] = hourglass.conv
// CHECK: %[[N:.*]] = hourglass.norm %[[Z]]
// CHECK: %[[R:.*]] = hourglass.activation %[[N]]
// CHECK: %[[H:.*]] = hourglass.conv %[[R]]
// CHECK: %[[D:.*]] = hourglass.loss_grad %[[H]]
// CHECK: %[[N2:.*]] = hourglass.norm %[[Z]]{{.*}}hourglass.again = 1
// CHECK: %[[R2:.*]] = hourglass.activation %[[N2]] {function = "relu", hourglass.again = 2
// CHECK: hourglass.conv_weight_grad %[[R2]], %[[D]]
// CHECK: hourglass.activation_grad %{{.*}}, %[[R2]]
// CHECK: hourglass.norm_grad %{{.*}}, %[[Z]]

// With leave to recompute convolutions only the input is kept: but for the loss's input, which is at hand.
// AGAIN-LABEL: func @main
// AGAIN: hourglass.loss_grad
// AGAIN: hourglass.conv {{.*}}hourglass.again
module attributes {hourglass.training = {}} {
  func.func @main(%x: tensor<1x1x8x8xf32> {hourglass.name = "x"}, %t: tensor<1x1x8x8xf32> {hourglass.name = "t"}) -> (tensor<2xf32> {hourglass.name = "loss"}) {
    %w = hourglass.weight "a.weight" init "he" {trainable} : tensor<8x1x3x3xf32>
    %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x1x8x8xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x8x8xf32>
    %m = hourglass.weight "n.running_mean" init "zero" {running} : tensor<8xf32>
    %v = hourglass.weight "n.running_var" init "one" {running} : tensor<8xf32>
    %n = hourglass.norm %y, %m, %v {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x8x8x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x8x8xf32>
    %r = hourglass.activation %n {function = "relu"} : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
    %hw = hourglass.weight "h.weight" init "he" {trainable} : tensor<2x8x1x1xf32>
    %h = hourglass.conv %r, %hw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x8x8x8xf32>, tensor<2x8x1x1xf32>) -> tensor<1x2x8x8xf32>
    %l = hourglass.loss %h, %t {kind = "cross_entropy"} : (tensor<1x2x8x8xf32>, tensor<1x1x8x8xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<1xf32>) -> tensor<2xf32>
    return %z : tensor<2xf32>
  }
}

// -----

// A concat of what no cheap op made is kept as it is, and its parts in it.
// CHECK-LABEL: func @main
// CHECK: %[[C:.*]] = hourglass.concat
// CHECK: %[[D:.*]] = hourglass.loss_grad
// CHECK-NOT: again
// CHECK: hourglass.conv_weight_grad %[[C]], %[[D]]
module attributes {hourglass.training = {}} {
  func.func @main(%x: tensor<1x1x8x8xf32> {hourglass.name = "x"}, %t: tensor<1x1x8x8xf32> {hourglass.name = "t"}) -> (tensor<2xf32> {hourglass.name = "loss"}) {
    %w = hourglass.weight "a.weight" init "he" {trainable} : tensor<4x1x3x3xf32>
    %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x1x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x8x8xf32>
    %r = hourglass.activation %y {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %c = hourglass.concat %r, %y : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x8x8x8xf32>
    %hw = hourglass.weight "h.weight" init "he" {trainable} : tensor<2x8x1x1xf32>
    %h = hourglass.conv %c, %hw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x8x8x8xf32>, tensor<2x8x1x1xf32>) -> tensor<1x2x8x8xf32>
    %l = hourglass.loss %h, %t {kind = "cross_entropy"} : (tensor<1x2x8x8xf32>, tensor<1x1x8x8xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<1xf32>) -> tensor<2xf32>
    return %z : tensor<2xf32>
  }
}

// -----

// A pool of what is kept is kept too, with the places of its maxima; where memory is short it is computed again.
// CHECK-LABEL: func @main
// CHECK: %[[P:.*]], %[[I:.*]] = hourglass.maxpool
// CHECK: hourglass.loss_grad
// CHECK-NOT: hourglass.maxpool
// CHECK: hourglass.conv_weight_grad %[[P]],
// CHECK-NOT: hourglass.maxpool
// CHECK: hourglass.unpool %{{.*}}, %[[I]],
// AGAIN: hourglass.maxpool
// AGAIN: hourglass.maxpool {{.*}}hourglass.again
module attributes {hourglass.training = {}} {
  func.func @main(%x: tensor<1x1x8x8xf32> {hourglass.name = "x"}, %t: tensor<1x1x8x8xf32> {hourglass.name = "t"}, %t2: tensor<1x1x4x4xf32> {hourglass.name = "t2"}) -> (tensor<3xf32> {hourglass.name = "loss"}) {
    %w = hourglass.weight "a.weight" init "he" {trainable} : tensor<4x1x3x3xf32>
    %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x1x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x8x8xf32>
    %r = hourglass.activation %y {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %c = hourglass.concat %r, %y : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x8x8x8xf32>
    %hw = hourglass.weight "h.weight" init "he" {trainable} : tensor<2x8x1x1xf32>
    %h = hourglass.conv %c, %hw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x8x8x8xf32>, tensor<2x8x1x1xf32>) -> tensor<1x2x8x8xf32>
    %l = hourglass.loss %h, %t {kind = "cross_entropy"} : (tensor<1x2x8x8xf32>, tensor<1x1x8x8xf32>) -> tensor<1xf32>
    %p, %i = hourglass.maxpool %r {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xi8>)
    %gw = hourglass.weight "g.weight" init "he" {trainable} : tensor<2x4x1x1xf32>
    %g = hourglass.conv %p, %gw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x4x4x4xf32>, tensor<2x4x1x1xf32>) -> tensor<1x2x4x4xf32>
    %l2 = hourglass.loss %g, %t2 {kind = "cross_entropy"} : (tensor<1x2x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l, %l2 {weights = array<f64: 1.0, 1.0>} : (tensor<1xf32>, tensor<1xf32>) -> tensor<3xf32>
    return %z : tensor<3xf32>
  }
}

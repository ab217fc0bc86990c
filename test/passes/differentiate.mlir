// RUN: segc-opt %s --split-input-file --hg-differentiate | FileCheck %s

// A value with two readers gets the sum of both gradients; a convolution's is its transpose, its weights' sums products
// with its operand; the ReLU's mask comes from its value. The concat's gradient is taken apart without a copy.
// CHECK-LABEL: func @main
// CHECK-SAME: (%[[X:[^:]*]]: tensor<1x3x8x8xf32>
// CHECK-SAME: {hourglass.gradient = "a.weight"}
// CHECK-SAME: {hourglass.gradient = "a.bias"}
// CHECK-SAME: {hourglass.gradient = "h.weight"}
// CHECK: %[[W:.*]] = hourglass.weight "a.weight"
// CHECK: %[[Y:.*]] = hourglass.conv %[[X]], %[[W]]
// CHECK: %[[R:.*]] = hourglass.activation %[[Y]]
// CHECK: %[[P:.*]], %[[I:.*]] = hourglass.maxpool %[[R]]
// CHECK: %[[U:.*]] = hourglass.upsample %[[P]]
// CHECK: %[[C:.*]] = hourglass.concat %[[R]], %[[U]]
// CHECK: %[[S:.*]] = hourglass.loss_sums
// CHECK: %[[L:.*]], %[[K:.*]] = hourglass.finish_loss %[[S]] {kind = "cross_entropy", weight = 5.000000e-01 : f64}
// CHECK: %[[T:.*]] = hourglass.total_loss %[[L]]
// CHECK: %[[D:.*]] = hourglass.loss_grad %{{.*}}, %{{.*}}, %[[K]]
// CHECK: %[[DH:.*]] = hourglass.conv_weight_grad %[[C]], %[[D]] {kernel = array<i64: 1, 1>}
// CHECK: %[[DC:.*]] = hourglass.deconv %[[D]]
// CHECK: %[[D0:.*]] = hourglass.slice %[[DC]] {offset = 0 : i64
// CHECK: %[[D1:.*]] = hourglass.slice %[[DC]] {offset = 4 : i64
// CHECK: %[[DP:.*]] = hourglass.upsample_transpose %[[D1]]
// CHECK: %[[DU:.*]] = hourglass.unpool %[[DP]], %[[I]], %[[R]] {{.*}}sum}
// CHECK: %[[DR:.*]] = hourglass.add %[[D0]], %[[DU]]
// CHECK: %[[DY:.*]] = hourglass.activation_grad %[[DR]], %[[R]] {from_value, function = "relu"}
// CHECK: %[[DW:.*]] = hourglass.conv_weight_grad %[[X]], %[[DY]] {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
// CHECK: %[[BS:.*]] = hourglass.channel_sums %[[DY]] {kind = "sum"}
// CHECK: %[[DB:.*]] = hourglass.finish_sum %[[BS]]
// The input's gradient was not asked for.
// CHECK-NOT: hourglass.deconv
// CHECK: return %[[T]], %[[DW]], %[[DB]], %[[DH]]
module attributes {hourglass.training = {}} {
  func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "x"}, %t: tensor<1x1x8x8xf32> {hourglass.name = "t"}) -> (tensor<2xf32> {hourglass.name = "loss"}) {
    %w = hourglass.weight "a.weight" init "he" {trainable} : tensor<4x3x3x3xf32>
    %b = hourglass.weight "a.bias" init "zero" {trainable} : tensor<4xf32>
    %y = hourglass.conv %x, %w, %b {operandSegmentSizes = array<i32: 1, 1, 1, 0>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    %r = hourglass.activation %y {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %p, %i = hourglass.maxpool %r {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xi8>)
    %u = hourglass.upsample %p {mode = "nearest", size = array<i64: 8, 8>} : (tensor<1x4x4x4xf32>) -> tensor<1x4x8x8xf32>
    %c = hourglass.concat %r, %u : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x8x8x8xf32>
    %hw = hourglass.weight "h.weight" init "he" {trainable} : tensor<2x8x1x1xf32>
    %h = hourglass.conv %c, %hw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x8x8x8xf32>, tensor<2x8x1x1xf32>) -> tensor<1x2x8x8xf32>
    %l = hourglass.loss %h, %t {kind = "cross_entropy"} : (tensor<1x2x8x8xf32>, tensor<1x1x8x8xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l {weights = array<f64: 0.5>} : (tensor<1xf32>) -> tensor<2xf32>
    return %z : tensor<2xf32>
  }
}

// -----

// A frozen encoder has no backward ops, keeps nothing and uses running statistics; the trained norm behind it uses its
// batch's and updates them.
// CHECK-LABEL: func @main
// CHECK-SAME: {hourglass.gradient = "n.weight"}, tensor<2xf32> {hourglass.gradient = "n.bias"}, tensor<2xf32> {hourglass.running = "n.running_mean"}
// CHECK: hourglass.conv
// CHECK: hourglass.norm {{.*}}frozen
// CHECK: %[[S:.*]] = hourglass.channel_sums %[[X:.*]] {kind = "stats"}
// CHECK: %[[M:.*]], %[[V:.*]] = hourglass.finish_stats %[[S]]
// CHECK: %[[RM:.*]] = hourglass.running_update %{{.*}}, %[[M]], %[[S]] {momentum = 1.000000e-01 : f64}
// CHECK: %[[RV:.*]] = hourglass.running_update %{{.*}}, %[[V]], %[[S]] {momentum = 1.000000e-01 : f64, unbiased}
// CHECK: hourglass.norm %[[X]], %[[G:.*]], %{{.*}}, %[[M]], %[[V]]
// CHECK: %[[D:.*]] = hourglass.loss_grad
// CHECK: %[[P:.*]] = hourglass.channel_sums %[[D]], %[[X]] {kind = "product"}
// CHECK: hourglass.finish_norm_grad %[[P]], %[[M]], %[[V]], %[[G]]
// CHECK-NOT: hourglass.norm_grad
// CHECK-NOT: hourglass.conv_weight_grad
// CHECK: return
module attributes {hourglass.training = {}} {
  func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "x"}, %t: tensor<1x1x8x8xf32> {hourglass.name = "t"}) -> (tensor<2xf32> {hourglass.name = "loss"}) {
    %w = hourglass.weight "a.weight" init "he" : tensor<2x3x1x1xf32>
    %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<2x3x1x1xf32>) -> tensor<1x2x8x8xf32>
    %m = hourglass.weight "a.running_mean" init "zero" {running} : tensor<2xf32>
    %v = hourglass.weight "a.running_var" init "one" {running} : tensor<2xf32>
    %e = hourglass.norm %y, %m, %v {operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>, frozen} : (tensor<1x2x8x8xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x8x8xf32>
    %g = hourglass.weight "n.weight" init "one" {trainable} : tensor<2xf32>
    %be = hourglass.weight "n.bias" init "zero" {trainable} : tensor<2xf32>
    %nm = hourglass.weight "n.running_mean" init "zero" {running} : tensor<2xf32>
    %nv = hourglass.weight "n.running_var" init "one" {running} : tensor<2xf32>
    %n = hourglass.norm %e, %g, %be, %nm, %nv {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>} : (tensor<1x2x8x8xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x8x8xf32>
    %l = hourglass.loss %n, %t {kind = "cross_entropy"} : (tensor<1x2x8x8xf32>, tensor<1x1x8x8xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<1xf32>) -> tensor<2xf32>
    return %z : tensor<2xf32>
  }
}

// -----

// Two layers share a weight: its gradients are added. The wanted input has one too. Dropout's mask is the same both ways.
// CHECK-LABEL: func @main
// CHECK-SAME: {hourglass.gradient = "a.weight"}
// CHECK-SAME: {hourglass.name = "grad.x"}
// CHECK: %[[SEED:.*]] = hourglass.step_seed
// CHECK: hourglass.drop %{{.*}}, %[[SEED]] {rate = 5.000000e-01 : f64, site = [[SITE:[0-9]+]] : i64}
// CHECK: %[[D:.*]] = hourglass.loss_grad
// CHECK: %[[D2:.*]] = hourglass.drop %[[D]], %[[SEED]] {rate = 5.000000e-01 : f64, site = [[SITE]] : i64}
// CHECK: %[[B:.*]] = hourglass.conv_weight_grad
// CHECK: %[[A:.*]] = hourglass.conv_weight_grad
// CHECK: %[[DX:.*]] = hourglass.deconv
// CHECK: %[[DW:.*]] = hourglass.sum_weights %[[B]], %[[A]]
// CHECK: return %{{.*}}, %[[DW]], %[[DX]]
module attributes {hourglass.training = {wrt = ["x"]}} {
  func.func @main(%x: tensor<1x2x8x8xf32> {hourglass.name = "x"}, %t: tensor<1x2x8x8xf32> {hourglass.name = "t"}) -> (tensor<2xf32> {hourglass.name = "loss"}) {
    %w = hourglass.weight "a.weight" init "he" {trainable} : tensor<2x2x1x1xf32>
    %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x2x8x8xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x8x8xf32>
    %s = hourglass.conv %y, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x2x8x8xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x8x8xf32>
    %d = hourglass.dropout %s {rate = 0.5 : f64} : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
    %l = hourglass.loss %d, %t {kind = "mse"} : (tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1xf32>
    %z = hourglass.total_loss %l {weights = array<f64: 1.0>} : (tensor<1xf32>) -> tensor<2xf32>
    return %z : tensor<2xf32>
  }
}

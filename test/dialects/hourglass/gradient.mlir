// RUN: segc-opt %s | segc-opt | FileCheck %s

// CHECK-LABEL: func @weights
func.func @weights(%x: tensor<?x4x9x8xf32>, %dy: tensor<?x6x5x4xf32>, %dz: tensor<?x6x4x3xf32>) {
  // CHECK: hourglass.conv_weight_grad {{.*}} {groups = 2 : i64, kernel = array<i64: 3, 2>, same, stride = array<i64: 2, 2>} {{.*}} -> tensor<6x2x3x2xf32>
  %a = hourglass.conv_weight_grad %x, %dy {kernel = array<i64: 3, 2>, stride = array<i64: 2, 2>, same, groups = 2 : i64} : (tensor<?x4x9x8xf32>, tensor<?x6x5x4xf32>) -> tensor<6x2x3x2xf32>
  // CHECK: hourglass.conv_weight_grad {{.*}} {dilation = array<i64: 1, 2>, kernel = array<i64: 3, 2>, padding = array<i64: 0, 1, 1, 0>, stride = array<i64: 2, 2>} {{.*}} -> tensor<6x4x3x2xf32>
  %b = hourglass.conv_weight_grad %x, %dz {kernel = array<i64: 3, 2>, stride = array<i64: 2, 2>, padding = array<i64: 0, 1, 1, 0>, dilation = array<i64: 1, 2>} : (tensor<?x4x9x8xf32>, tensor<?x6x4x3xf32>) -> tensor<6x4x3x2xf32>
  // CHECK: hourglass.sum_weights
  %c = hourglass.sum_weights %b, %b : (tensor<6x4x3x2xf32>, tensor<6x4x3x2xf32>) -> tensor<6x4x3x2xf32>
  return
}

// CHECK-LABEL: func @derivatives
func.func @derivatives(%dy: tensor<2x3x?x5xf32>, %y: tensor<2x3x?x5xf32>, %s: tensor<3xf32>) {
  // CHECK: hourglass.activation_grad {{.*}} {from_value, function = "sigmoid"}
  %a = hourglass.activation_grad %dy, %y {function = "sigmoid", from_value} : (tensor<2x3x?x5xf32>, tensor<2x3x?x5xf32>) -> tensor<2x3x?x5xf32>
  // CHECK: hourglass.activation_grad {{.*}} {alpha = 5.000000e-01 : f64, function = "elu"}
  %b = hourglass.activation_grad %dy, %y {function = "elu", alpha = 0.5} : (tensor<2x3x?x5xf32>, tensor<2x3x?x5xf32>) -> tensor<2x3x?x5xf32>
  // CHECK: hourglass.activation_grad {{.*}} {function = "prelu"}
  %c = hourglass.activation_grad %dy, %y, %s {function = "prelu"} : (tensor<2x3x?x5xf32>, tensor<2x3x?x5xf32>, tensor<3xf32>) -> tensor<2x3x?x5xf32>
  // CHECK: hourglass.softmax_grad
  %d = hourglass.softmax_grad %dy, %y : (tensor<2x3x?x5xf32>, tensor<2x3x?x5xf32>) -> tensor<2x3x?x5xf32>
  // CHECK: hourglass.log_softmax_grad
  %e = hourglass.log_softmax_grad %dy, %y : (tensor<2x3x?x5xf32>, tensor<2x3x?x5xf32>) -> tensor<2x3x?x5xf32>
  return
}

// CHECK-LABEL: func @pads
func.func @pads(%dy: tensor<1x2x6x9xf32>, %x: tensor<1x2x4x5xf32>) -> tensor<1x2x4x5xf32> {
  // CHECK: hourglass.pad_transpose {{.*}} {amount = array<i64: 2, 1, 0, 3>, mode = "reflect"} {{.*}} -> tensor<1x2x4x5xf32>
  %a = hourglass.pad_transpose %dy, %x {mode = "reflect", amount = array<i64: 2, 1, 0, 3>} : (tensor<1x2x6x9xf32>, tensor<1x2x4x5xf32>) -> tensor<1x2x4x5xf32>
  return %a : tensor<1x2x4x5xf32>
}

// CHECK-LABEL: func @dropout
func.func @dropout(%x: tensor<1x2x4x5xf32>) -> tensor<1x2x4x5xf32> {
  // CHECK: %[[S:.*]] = hourglass.step_seed : () -> tensor<2xi32>
  %s = hourglass.step_seed : () -> tensor<2xi32>
  // CHECK: hourglass.drop %{{.*}}, %[[S]] {rate = 5.000000e-01 : f64, site = 4294967295 : i64}
  %a = hourglass.drop %x, %s {rate = 0.5, site = 4294967295 : i64} : (tensor<1x2x4x5xf32>, tensor<2xi32>) -> tensor<1x2x4x5xf32>
  return %a : tensor<1x2x4x5xf32>
}

// CHECK-LABEL: func @norm
func.func @norm(%dy: tensor<2x3x40x5xf32>, %x: tensor<2x3x40x5xf32>, %g: tensor<3xf32>, %m: tensor<3xf32>) {
  // Bands of rows: as many as there are rows, at most 32.
  // CHECK: hourglass.channel_sums {{.*}} {kind = "stats"} {{.*}} -> tensor<2x3x32x3xf64>
  %s = hourglass.channel_sums %x {kind = "stats"} : (tensor<2x3x40x5xf32>) -> tensor<2x3x32x3xf64>
  // CHECK: hourglass.finish_stats
  %mean, %variance = hourglass.finish_stats %s : (tensor<2x3x32x3xf64>) -> (tensor<3xf32>, tensor<3xf32>)
  // CHECK: hourglass.running_update {{.*}} {momentum = 1.000000e-01 : f64, unbiased}
  %r = hourglass.running_update %m, %variance, %s {momentum = 0.1, unbiased} : (tensor<3xf32>, tensor<3xf32>, tensor<2x3x32x3xf64>) -> tensor<3xf32>
  // CHECK: hourglass.channel_sums {{.*}} {kind = "product"}
  %p = hourglass.channel_sums %dy, %x {kind = "product"} : (tensor<2x3x40x5xf32>, tensor<2x3x40x5xf32>) -> tensor<2x3x32x3xf64>
  // CHECK: hourglass.finish_norm_grad {{.*}} {eps = 1.000000e-05 : f64}
  %dg, %db, %a, %b, %c = hourglass.finish_norm_grad %p, %mean, %variance, %g {eps = 1.0e-5} : (tensor<2x3x32x3xf64>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  // CHECK: hourglass.norm_grad
  %dx = hourglass.norm_grad %dy, %x, %a, %b, %c : (tensor<2x3x40x5xf32>, tensor<2x3x40x5xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x40x5xf32>
  // CHECK: hourglass.channel_sums {{.*}} {kind = "negative"} {{.*}} -> tensor<2x3x32x1xf64>
  %n = hourglass.channel_sums %dy, %x {kind = "negative"} : (tensor<2x3x40x5xf32>, tensor<2x3x40x5xf32>) -> tensor<2x3x32x1xf64>
  // CHECK: hourglass.finish_sum
  %q = hourglass.finish_sum %n : (tensor<2x3x32x1xf64>) -> tensor<3xf32>
  return
}

// CHECK-LABEL: func @anyHeight
func.func @anyHeight(%x: tensor<?x3x?x?xf32>) -> tensor<?x3x?x1xf64> {
  // CHECK: hourglass.channel_sums {{.*}} -> tensor<?x3x?x1xf64>
  %s = hourglass.channel_sums %x {kind = "sum"} : (tensor<?x3x?x?xf32>) -> tensor<?x3x?x1xf64>
  return %s : tensor<?x3x?x1xf64>
}

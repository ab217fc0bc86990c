// RUN: segc-opt %s | segc-opt | FileCheck %s

// CHECK-LABEL: func @labels
func.func @labels(%x: tensor<?x3x40x8xf32>, %t: tensor<?x1x40x8xf32>, %w: tensor<?x1x40x8xf32>) -> tensor<3xf32> {
  // CHECK: hourglass.loss {{.*}} {class_weights = array<f64: 1.000000e+00, 2.000000e+00, 5.000000e-01>, kind = "cross_entropy"}
  %a = hourglass.loss %x, %t, %w {kind = "cross_entropy", class_weights = array<f64: 1.0, 2.0, 0.5>} : (tensor<?x3x40x8xf32>, tensor<?x1x40x8xf32>, tensor<?x1x40x8xf32>) -> tensor<1xf32>
  // CHECK: hourglass.loss {{.*}} {eps = 5.000000e-01 : f64, ignore_index = -1 : i64, kind = "dice", per_image}
  %b = hourglass.loss %x, %t {kind = "dice", eps = 0.5, per_image, ignore_index = -1} : (tensor<?x3x40x8xf32>, tensor<?x1x40x8xf32>) -> tensor<1xf32>
  // CHECK: hourglass.total_loss {{.*}} {weights = array<f64: 1.000000e+00, 4.000000e-01>}
  %c = hourglass.total_loss %a, %b {weights = array<f64: 1.0, 0.4>} : (tensor<1xf32>, tensor<1xf32>) -> tensor<3xf32>
  return %c : tensor<3xf32>
}

// CHECK-LABEL: func @focal
func.func @focal(%x: tensor<2x1x5x8xf32>, %t: tensor<2x1x5x8xf32>) -> tensor<2x1x5x8xf32> {
  // CHECK: hourglass.loss_sums {{.*}} {alpha = array<f64: 2.500000e-01>, gamma = 2.000000e+00 : f64, kind = "focal", reduction = "sum"} {{.*}} -> tensor<2x1x5x2xf64>
  %s = hourglass.loss_sums %x, %t {kind = "focal", reduction = "sum", alpha = array<f64: 0.25>, gamma = 2.0} : (tensor<2x1x5x8xf32>, tensor<2x1x5x8xf32>) -> tensor<2x1x5x2xf64>
  // CHECK: hourglass.finish_loss {{.*}} -> (tensor<1xf32>, tensor<1x1x1x1xf32>)
  %l, %c = hourglass.finish_loss %s {kind = "focal", reduction = "sum", weight = 0.4} : (tensor<2x1x5x2xf64>) -> (tensor<1xf32>, tensor<1x1x1x1xf32>)
  // CHECK: hourglass.loss_grad
  %dx = hourglass.loss_grad %x, %t, %c {kind = "focal", reduction = "sum", alpha = array<f64: 0.25>, gamma = 2.0} : (tensor<2x1x5x8xf32>, tensor<2x1x5x8xf32>, tensor<1x1x1x1xf32>) -> tensor<2x1x5x8xf32>
  return %dx : tensor<2x1x5x8xf32>
}

// CHECK-LABEL: func @elements
func.func @elements(%x: tensor<2x3x5x8xf32>, %t: tensor<2x3x5x8xf32>, %w: tensor<2x1x5x8xf32>) {
  // CHECK: hourglass.loss_sums {{.*}} {kind = "bce"} {{.*}} -> tensor<2x1x5x5xf64>
  %s = hourglass.loss_sums %x, %t {kind = "bce"} : (tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>) -> tensor<2x1x5x5xf64>
  // CHECK: hourglass.finish_loss {{.*}} {kind = "bce", pos_weight = 1.500000e+00 : f64, weight = 1.000000e+00 : f64} {{.*}} -> (tensor<1xf32>, tensor<1x2x1x1xf32>)
  %l, %c = hourglass.finish_loss %s {kind = "bce", pos_weight = 1.5, weight = 1.0} : (tensor<2x1x5x5xf64>) -> (tensor<1xf32>, tensor<1x2x1x1xf32>)
  // CHECK: hourglass.loss_sums {{.*}} {kind = "smooth_l1"} {{.*}} -> tensor<2x1x5x2xf64>
  %r = hourglass.loss_sums %x, %t, %w {kind = "smooth_l1"} : (tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>, tensor<2x1x5x8xf32>) -> tensor<2x1x5x2xf64>
  %m, %d = hourglass.finish_loss %r {kind = "smooth_l1", weight = 1.0} : (tensor<2x1x5x2xf64>) -> (tensor<1xf32>, tensor<1x1x1x1xf32>)
  // CHECK: hourglass.loss_grad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {beta = 2.000000e+00 : f64, kind = "smooth_l1"}
  %k = hourglass.loss_grad %x, %t, %w, %d {kind = "smooth_l1", beta = 2.0} : (tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>, tensor<2x1x5x8xf32>, tensor<1x1x1x1xf32>) -> tensor<2x3x5x8xf32>
  return
}

// CHECK-LABEL: func @overlaps
func.func @overlaps(%x: tensor<2x3x40x8xf32>, %t: tensor<2x1x40x8xf32>) {
  // A channel of sums for each class; coefficients of each image.
  // CHECK: hourglass.loss_sums {{.*}} -> tensor<2x3x32x3xf64>
  %s = hourglass.loss_sums %x, %t {kind = "soft_iou", per_image} : (tensor<2x3x40x8xf32>, tensor<2x1x40x8xf32>) -> tensor<2x3x32x3xf64>
  // CHECK: hourglass.finish_loss {{.*}} -> (tensor<1xf32>, tensor<2x6x1x1xf32>)
  %l, %c = hourglass.finish_loss %s {kind = "soft_iou", per_image, weight = 1.0} : (tensor<2x3x32x3xf64>) -> (tensor<1xf32>, tensor<2x6x1x1xf32>)
  // CHECK: hourglass.finish_loss {{.*}} -> (tensor<1xf32>, tensor<1x6x1x1xf32>)
  %m, %d = hourglass.finish_loss %s {kind = "dice", weight = 1.0} : (tensor<2x3x32x3xf64>) -> (tensor<1xf32>, tensor<1x6x1x1xf32>)
  return
}

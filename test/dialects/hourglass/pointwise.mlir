// RUN: segc-opt %s | segc-opt | FileCheck %s
// RUN: segc-opt %s -canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func @chain
func.func @chain(%x: tensor<2x3x4x5xf32>, %z: tensor<2x3x4x5xf32>, %s: tensor<3xf32>) -> tensor<2x3x4x5xf32> {
  // CHECK: hourglass.add
  %a = hourglass.add %x, %z : (tensor<2x3x4x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  // CHECK: hourglass.affine
  %b = hourglass.affine %a, %s, %s : (tensor<2x3x4x5xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x4x5xf32>
  // CHECK: hourglass.activation {{.*}} {alpha = 2.000000e-01 : f64, function = "leaky_relu"}
  %c = hourglass.activation %b {function = "leaky_relu", alpha = 0.2} : (tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  // CHECK: hourglass.activation {{.*}} {function = "prelu"}
  %d = hourglass.activation %c, %s {function = "prelu"} : (tensor<2x3x4x5xf32>, tensor<3xf32>) -> tensor<2x3x4x5xf32>
  return %d : tensor<2x3x4x5xf32>
}

// CHECK-LABEL: func @channels
func.func @channels(%x: tensor<?x3x4x5xf32>, %z: tensor<?x2x4x5xf32>) -> (tensor<?x5x4x5xf32>, tensor<?x4x5xi32>) {
  // CHECK: hourglass.concat {{.*}} -> tensor<?x5x4x5xf32>
  %c = hourglass.concat %x, %z : (tensor<?x3x4x5xf32>, tensor<?x2x4x5xf32>) -> tensor<?x5x4x5xf32>
  // CHECK: hourglass.softmax
  %s = hourglass.softmax %c : (tensor<?x5x4x5xf32>) -> tensor<?x5x4x5xf32>
  // CHECK: hourglass.argmax {{.*}} -> tensor<?x4x5xi32>
  %m = hourglass.argmax %s : (tensor<?x5x4x5xf32>) -> tensor<?x4x5xi32>
  return %s, %m : tensor<?x5x4x5xf32>, tensor<?x4x5xi32>
}

// FOLD-LABEL: func @folds
// FOLD-SAME: (%[[X:.*]]: tensor<1x3x4x5xf32>)
func.func @folds(%x: tensor<1x3x4x5xf32>) -> (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) {
  // A concat of one, a crop to the same extents and a pad by nothing vanish; relu is idempotent.
  // FOLD-NEXT: %[[R:.*]] = hourglass.activation %[[X]] {function = "relu"}
  // FOLD-NEXT: return %[[X]], %[[X]], %[[X]], %[[R]]
  %a = hourglass.concat %x : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  %b = hourglass.crop %x {size = array<i64: 4, 5>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  %c = hourglass.pad %x {amount = array<i64: 0, 0, 0, 0>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  %d = hourglass.activation %x {function = "relu"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  %e = hourglass.activation %d {function = "relu"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return %a, %b, %c, %e : tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>
}

// RUN: segc-opt %s | segc-opt | FileCheck %s
// RUN: segc-opt %s -canonicalize | FileCheck %s --check-prefix=FOLD

// Known extents of 1 are repeated, all others stay, also unknown ones.
// CHECK-LABEL: func @repeat
func.func @repeat(%x: tensor<?x3x1x1xf32>, %like: tensor<?x3x?x5xf32>) -> tensor<?x3x?x5xf32> {
  // CHECK: hourglass.broadcast {{.*}} -> tensor<?x3x?x5xf32>
  %y = hourglass.broadcast %x, %like : (tensor<?x3x1x1xf32>, tensor<?x3x?x5xf32>) -> tensor<?x3x?x5xf32>
  return %y : tensor<?x3x?x5xf32>
}

// CHECK-LABEL: func @reduce
func.func @reduce(%x: tensor<?x3x4x5xf32>) -> tensor<?x1x4x1xf32> {
  // CHECK: hourglass.reduce_sum {{.*}} {axes = array<i64: 1, 3>} : {{.*}} -> tensor<?x1x4x1xf32>
  %y = hourglass.reduce_sum %x {axes = array<i64: 1, 3>} : (tensor<?x3x4x5xf32>) -> tensor<?x1x4x1xf32>
  return %y : tensor<?x1x4x1xf32>
}

// CHECK-LABEL: func @elementwise
func.func @elementwise(%x: tensor<1x3x4x5xf32>, %z: tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32> {
  // CHECK: hourglass.mul
  %a = hourglass.mul %x, %z : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  // CHECK: hourglass.sub
  %b = hourglass.sub %a, %z : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  // CHECK: hourglass.scale {{.*}} {factor = -2.000000e+00 : f64}
  %c = hourglass.scale %b {factor = -2.0} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return %c : tensor<1x3x4x5xf32>
}

// FOLD-LABEL: func @nothing_to_repeat
// FOLD-SAME: (%[[X:[^:]*]]: tensor<1x3x4x5xf32>
// FOLD-NEXT: return %[[X]]
func.func @nothing_to_repeat(%x: tensor<1x3x4x5xf32>, %like: tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32> {
  %y = hourglass.broadcast %x, %like : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return %y : tensor<1x3x4x5xf32>
}

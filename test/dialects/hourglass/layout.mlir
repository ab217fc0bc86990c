// RUN: segc-opt %s -canonicalize | segc-opt | FileCheck %s

// CHECK-LABEL: @reshapes
func.func @reshapes(%x: tensor<?x4x?x?xf32>) -> tensor<?x8x?x?xf32> {
  // Of two reshapes the last decides.
  // CHECK-NEXT: hourglass.reshape %arg0 {shape = array<i64: 0, 8, -1, 1>}
  // CHECK-NEXT: return
  %a = hourglass.reshape %x {shape = array<i64: 0, 2, -1, 2>} : (tensor<?x4x?x?xf32>) -> tensor<?x2x?x2xf32>
  %b = hourglass.reshape %a {shape = array<i64: 0, 8, -1, 1>} : (tensor<?x2x?x2xf32>) -> tensor<?x8x?x?xf32>
  return %b : tensor<?x8x?x?xf32>
}

// CHECK-LABEL: @copied_extents
func.func @copied_extents(%x: tensor<2x4x3x5xf32>) -> tensor<2x2x5x6xf32> {
  // The second one copies what the first one made.
  // CHECK: shape = array<i64: 0, 0, 5, 3>
  // CHECK: shape = array<i64: 0, 2, 0, -1>
  %a = hourglass.reshape %x {shape = array<i64: 0, 0, 5, 3>} : (tensor<2x4x3x5xf32>) -> tensor<2x4x5x3xf32>
  %b = hourglass.reshape %a {shape = array<i64: 0, 2, 0, -1>} : (tensor<2x4x5x3xf32>) -> tensor<2x2x5x6xf32>
  return %b : tensor<2x2x5x6xf32>
}

// CHECK-LABEL: @there_and_back
func.func @there_and_back(%x: tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32> {
  // CHECK-NEXT: return %arg0
  %a = hourglass.transpose %x {perm = array<i64: 0, 3, 1, 2>, channels = 5 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x5x4x3xf32>
  %b = hourglass.transpose %a {perm = array<i64: 0, 2, 3, 1>, channels = 4 : i64} : (tensor<2x5x4x3xf32>) -> tensor<2x4x3x5xf32>
  %c = hourglass.reshape %b {shape = array<i64: 0, 0, 0, -1>} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %c : tensor<2x4x3x5xf32>
}

// CHECK-LABEL: @composed
func.func @composed(%x: tensor<2x4x3x5xf32>) -> tensor<3x2x5x4xf32> {
  // CHECK-NEXT: hourglass.transpose %arg0 {channels = 2 : i64, perm = array<i64: 2, 0, 3, 1>}
  %a = hourglass.transpose %x {perm = array<i64: 2, 1, 0, 3>} : (tensor<2x4x3x5xf32>) -> tensor<3x4x2x5xf32>
  %b = hourglass.transpose %a {perm = array<i64: 0, 2, 3, 1>, channels = 2 : i64} : (tensor<3x4x2x5xf32>) -> tensor<3x2x5x4xf32>
  return %b : tensor<3x2x5x4xf32>
}

// CHECK-LABEL: @windows
func.func @windows(%x: tensor<?x3x?x?xf32>) -> tensor<?x3x?x?xf32> {
  // CHECK-NEXT: hourglass.windows %arg0 {{.*}} -> tensor<?x3x4x5xf32>
  // CHECK-NEXT: hourglass.positions %arg0 {{.*}} -> tensor<?x1x?x?xf32>
  // CHECK-NEXT: hourglass.windows_transpose
  %w = hourglass.windows %x {kernel = array<i64: 4, 5>, stride = array<i64: 2, 2>} : (tensor<?x3x?x?xf32>) -> tensor<?x3x4x5xf32>
  %p = hourglass.positions %x {kernel = array<i64: 4, 5>, stride = array<i64: 2, 2>} : (tensor<?x3x?x?xf32>) -> tensor<?x1x?x?xf32>
  %y = hourglass.windows_transpose %w, %p {kernel = array<i64: 4, 5>} : (tensor<?x3x4x5xf32>, tensor<?x1x?x?xf32>) -> tensor<?x3x?x?xf32>
  return %y : tensor<?x3x?x?xf32>
}

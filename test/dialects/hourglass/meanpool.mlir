// RUN: segc-opt %s | segc-opt | FileCheck %s
// RUN: segc-opt %s -canonicalize | FileCheck %s --check-prefix=CANON

// CHECK-LABEL: func @windows
func.func @windows(%x: tensor<1x3x7x8xf32>) -> (tensor<1x3x3x4xf32>, tensor<1x3x4x4xf32>, tensor<1x3x4x3xf32>) {
  // CHECK: hourglass.avgpool %{{.*}} {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>}
  %a = hourglass.avgpool %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x3x4xf32>
  // The fourth row of windows is not complete.
  // CHECK: hourglass.avgpool %{{.*}} {ceil, count_include_pad
  %b = hourglass.avgpool %x {ceil, count_include_pad, kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x4x4xf32>
  // ceil(7 / 2), ceil(8 / 3)
  // CHECK: hourglass.avgpool %{{.*}} {kernel = array<i64: 3, 3>, same, stride = array<i64: 2, 3>}
  %c = hourglass.avgpool %x {same, kernel = array<i64: 3, 3>, stride = array<i64: 2, 3>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x4x3xf32>
  return %a, %b, %c : tensor<1x3x3x4xf32>, tensor<1x3x4x4xf32>, tensor<1x3x4x3xf32>
}

// CHECK-LABEL: func @transposes
func.func @transposes(%y: tensor<1x3x3x4xf32>, %x: tensor<1x3x7x8xf32>) -> (tensor<1x3x7x8xf32>, tensor<1x3x7x8xf32>) {
  // CHECK: hourglass.avgpool_transpose %{{.*}}, %{{.*}} {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>}
  %a = hourglass.avgpool_transpose %y, %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x3x4xf32>, tensor<1x3x7x8xf32>) -> tensor<1x3x7x8xf32>
  // CHECK: hourglass.adaptive_avgpool_transpose
  %b = hourglass.adaptive_avgpool_transpose %y, %x : (tensor<1x3x3x4xf32>, tensor<1x3x7x8xf32>) -> tensor<1x3x7x8xf32>
  return %a, %b : tensor<1x3x7x8xf32>, tensor<1x3x7x8xf32>
}

// Along the width, then along the height; an axis that has the bins already stays.
// CHECK-LABEL: func @bins
// CANON-LABEL: func @bins
func.func @bins(%x: tensor<1x3x7x8xf32>, %free: tensor<?x3x?x?xf32>) -> (tensor<1x3x2x3xf32>, tensor<1x3x7x3xf32>, tensor<?x3x1x1xf32>, tensor<1x3x7x8xf32>) {
  // CANON: %[[R:.*]] = hourglass.adaptive_avgpool %{{.*}} {size = array<i64: 0, 3>} {{.*}} -> tensor<1x3x7x3xf32>
  // CANON: %[[A:.*]] = hourglass.adaptive_avgpool %[[R]] {size = array<i64: 2, 0>} {{.*}} -> tensor<1x3x2x3xf32>
  %a = hourglass.adaptive_avgpool %x {size = array<i64: 2, 3>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x2x3xf32>
  // CANON: %[[B:.*]] = hourglass.adaptive_avgpool %{{.*}} {size = array<i64: 0, 3>}
  %b = hourglass.adaptive_avgpool %x {size = array<i64: 7, 3>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x7x3xf32>
  // CANON: hourglass.adaptive_avgpool %{{.*}} {size = array<i64: 0, 1>} {{.*}} -> tensor<?x3x?x1xf32>
  // CANON: %[[C:.*]] = hourglass.adaptive_avgpool %{{.*}} {size = array<i64: 1, 0>}
  %c = hourglass.adaptive_avgpool %free {size = array<i64: 1, 1>} : (tensor<?x3x?x?xf32>) -> tensor<?x3x1x1xf32>
  %d = hourglass.adaptive_avgpool %x {size = array<i64: 7, 8>} : (tensor<1x3x7x8xf32>) -> tensor<1x3x7x8xf32>
  // CANON: return %[[A]], %[[B]], %[[C]], %arg0
  return %a, %b, %c, %d : tensor<1x3x2x3xf32>, tensor<1x3x7x3xf32>, tensor<?x3x1x1xf32>, tensor<1x3x7x8xf32>
}

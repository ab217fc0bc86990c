// RUN: segc-opt %s | segc-opt | FileCheck %s

// CHECK-LABEL: func @upsample
func.func @upsample(%x: tensor<1x3x4x5xf32>, %like: tensor<1x8x9x9xf32>) -> (tensor<1x3x6x7xf32>, tensor<1x3x9x9xf32>, tensor<1x3x12x12xf32>) {
  // floor(5 * 3 / 2) = 7
  // CHECK: hourglass.upsample %{{.*}} {mode = "nearest", scale_den = array<i64: 2, 2>, scale_num = array<i64: 3, 3>}
  %a = hourglass.upsample %x {mode = "nearest", scale_num = array<i64: 3, 3>, scale_den = array<i64: 2, 2>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x6x7xf32>
  // CHECK: hourglass.upsample %{{.*}}, %{{.*}} {align_corners, mode = "bilinear"}
  %b = hourglass.upsample %x, %like {mode = "bilinear", align_corners} : (tensor<1x3x4x5xf32>, tensor<1x8x9x9xf32>) -> tensor<1x3x9x9xf32>
  // CHECK: hourglass.upsample %{{.*}} {mode = "bilinear", size = array<i64: 12, 12>}
  %c = hourglass.upsample %x {mode = "bilinear", size = array<i64: 12, 12>} : (tensor<1x3x4x5xf32>) -> tensor<1x3x12x12xf32>
  return %a, %b, %c : tensor<1x3x6x7xf32>, tensor<1x3x9x9xf32>, tensor<1x3x12x12xf32>
}

// A centre crop to the smallest of several values, a crop at an offset, a pad.
// CHECK-LABEL: func @crop
func.func @crop(%x: tensor<1x3x9x9xf32>, %y: tensor<1x3x7x8xf32>) -> (tensor<1x3x7x8xf32>, tensor<1x3x2x3xf32>, tensor<1x3x12x15xf32>) {
  // CHECK: hourglass.crop %{{.*}}, %{{.*}}, %{{.*}} :
  %a = hourglass.crop %x, %x, %y : (tensor<1x3x9x9xf32>, tensor<1x3x9x9xf32>, tensor<1x3x7x8xf32>) -> tensor<1x3x7x8xf32>
  // CHECK: hourglass.crop %{{.*}} {offset = array<i64: 7, 6>, size = array<i64: 2, 3>}
  %b = hourglass.crop %x {size = array<i64: 2, 3>, offset = array<i64: 7, 6>} : (tensor<1x3x9x9xf32>) -> tensor<1x3x2x3xf32>
  // CHECK: hourglass.pad %{{.*}} {amount = array<i64: 1, 2, 2, 4>, mode = "reflect"}
  %c = hourglass.pad %x {amount = array<i64: 1, 2, 2, 4>, mode = "reflect"} : (tensor<1x3x9x9xf32>) -> tensor<1x3x12x15xf32>
  return %a, %b, %c : tensor<1x3x7x8xf32>, tensor<1x3x2x3xf32>, tensor<1x3x12x15xf32>
}

// 5 = 3 + 2 rows, 3 = 2 + 1 columns.
// CHECK-LABEL: func @phase
func.func @phase(%a: tensor<1x2x5x3xf32>, %b: tensor<?x2x?x?xf32>) -> (tensor<1x2x2x2xf32>, tensor<?x2x?x?xf32>) {
  // CHECK: hourglass.phase {{.*}} -> tensor<1x2x2x2xf32>
  %y = hourglass.phase %a {stride = array<i64: 2, 2>, offset = array<i64: 1, 0>} : (tensor<1x2x5x3xf32>) -> tensor<1x2x2x2xf32>
  %z = hourglass.phase %b {stride = array<i64: 2, 2>, offset = array<i64: 1, 0>} : (tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
  return %y, %z : tensor<1x2x2x2xf32>, tensor<?x2x?x?xf32>
}

// CHECK-LABEL: func @interleave
func.func @interleave(%a: tensor<1x2x3x2xf32>, %b: tensor<1x2x3x1xf32>, %c: tensor<1x2x2x2xf32>, %d: tensor<1x2x2x1xf32>) -> tensor<1x2x5x3xf32> {
  // CHECK: hourglass.interleave {{.*}} -> tensor<1x2x5x3xf32>
  %y = hourglass.interleave %a, %b, %c, %d {stride = array<i64: 2, 2>} : (tensor<1x2x3x2xf32>, tensor<1x2x3x1xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x1xf32>) -> tensor<1x2x5x3xf32>
  return %y : tensor<1x2x5x3xf32>
}

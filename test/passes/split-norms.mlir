// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-norms))' | FileCheck %s

// Sums of each image, a scale and a shift from them, repeated for all pixels.
// CHECK-LABEL: func @infer
// CHECK-SAME: (%[[X:[^:]*]]: tensor<?x6x8x?xf32>
// CHECK-DAG: %[[G:.*]] = hourglass.weight "n.weight"
// CHECK-DAG: %[[B:.*]] = hourglass.weight "n.bias"
// CHECK: %[[SUMS:.*]] = hourglass.channel_sums %[[X]] {kind = "stats"} : (tensor<?x6x8x?xf32>) -> tensor<?x6x8x3xf64>
// CHECK: %[[SCALE:[^,]*]], %[[SHIFT:[^,]*]], %{{.*}}, %{{.*}} = hourglass.finish_group_stats %[[SUMS]], %[[G]], %[[B]] {eps = 1.000000e-03 : f64, groups = 3 : i64
// CHECK-SAME: -> (tensor<?x6x1x1xf32>
// CHECK: %[[WIDE:.*]] = hourglass.broadcast %[[SCALE]], %[[X]]
// CHECK: %[[M:.*]] = hourglass.mul %[[X]], %[[WIDE]]
// CHECK: %[[ADDED:.*]] = hourglass.broadcast %[[SHIFT]], %[[M]]
// CHECK: %[[Y:.*]] = hourglass.add %[[M]], %[[ADDED]]
// CHECK-NOT: hourglass.group_norm
// CHECK: return %[[Y]]
func.func @infer(%x: tensor<?x6x8x?xf32>) -> tensor<?x6x8x?xf32> {
  %g = hourglass.weight "n.weight" init "one" : tensor<6xf32>
  %b = hourglass.weight "n.bias" init "zero" : tensor<6xf32>
  %y = hourglass.group_norm %x, %g, %b {groups = 3 : i64, eps = 1.0e-3 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<?x6x8x?xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<?x6x8x?xf32>
  return %y : tensor<?x6x8x?xf32>
}

// What training has written out already is used; a clone stays apart from the first.
// CHECK-LABEL: func @train
// CHECK-SAME: %[[S:[^:]*]]: tensor<1x2x1x1xf32>, %[[T:[^:]*]]: tensor<1x2x1x1xf32>
// CHECK-NOT: hourglass.channel_sums
// CHECK: hourglass.broadcast %[[S]]
// CHECK: hourglass.mul {{.*}} {hourglass.again = 1 : i64}
// CHECK: hourglass.broadcast %[[T]]
// CHECK: hourglass.add {{.*}} {hourglass.again = 1 : i64}
func.func @train(%x: tensor<1x2x8x8xf32>, %s: tensor<1x2x1x1xf32>, %t: tensor<1x2x1x1xf32>) -> tensor<1x2x8x8xf32> {
  %y = hourglass.group_norm %x, %s, %t {groups = 1 : i64, hourglass.again = 1 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<1x2x8x8xf32>, tensor<1x2x1x1xf32>, tensor<1x2x1x1xf32>) -> tensor<1x2x8x8xf32>
  return %y : tensor<1x2x8x8xf32>
}

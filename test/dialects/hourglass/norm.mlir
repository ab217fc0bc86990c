// RUN: segc-opt %s | segc-opt | FileCheck %s

// CHECK-LABEL: func @plain
func.func @plain(%x: tensor<?x6x4x?xf32>, %g: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<?x6x4x?xf32> {
  // CHECK: hourglass.group_norm %{{.*}}, %{{.*}}, %{{.*}} {eps = 1.000000e-03 : f64, groups = 3 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>}
  %a = hourglass.group_norm %x, %g, %b {groups = 3 : i64, eps = 1.0e-3 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<?x6x4x?xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<?x6x4x?xf32>
  // CHECK: hourglass.group_norm %{{[^,]*}} {groups = 1 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>}
  %c = hourglass.group_norm %a {groups = 1 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (tensor<?x6x4x?xf32>) -> tensor<?x6x4x?xf32>
  return %c : tensor<?x6x4x?xf32>
}

// CHECK-LABEL: func @written
func.func @written(%x: tensor<2x6x40x5xf32>, %dy: tensor<2x6x40x5xf32>, %g: tensor<6xf32>) {
  %s = hourglass.channel_sums %x {kind = "stats"} : (tensor<2x6x40x5xf32>) -> tensor<2x6x32x3xf64>
  // CHECK: hourglass.finish_group_stats {{.*}} {eps = 1.000000e-05 : f64, groups = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0>}
  %scale, %shift, %mean, %rstd = hourglass.finish_group_stats %s, %g {groups = 2 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 0>} : (tensor<2x6x32x3xf64>, tensor<6xf32>) -> (tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>)
  // CHECK: hourglass.group_norm {{.*}} operandSegmentSizes = array<i32: 1, 1, 0, 1, 1>
  %y = hourglass.group_norm %x, %g, %scale, %shift {groups = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 1, 1>} : (tensor<2x6x40x5xf32>, tensor<6xf32>, tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>) -> tensor<2x6x40x5xf32>
  %p = hourglass.channel_sums %dy, %x {kind = "product"} : (tensor<2x6x40x5xf32>, tensor<2x6x40x5xf32>) -> tensor<2x6x32x3xf64>
  // CHECK: hourglass.finish_group_norm_grad {{.*}} {groups = 2 : i64}
  %dg, %db, %a, %b, %c = hourglass.finish_group_norm_grad %p, %mean, %rstd, %g {groups = 2 : i64} : (tensor<2x6x32x3xf64>, tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>, tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>, tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>, tensor<2x6x1x1xf32>)
  return
}

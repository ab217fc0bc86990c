// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-schedule))' | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-schedule{isa=avx2}))' | FileCheck %s --check-prefixes=CHECK,NARROW
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-schedule{without=winograd}))' | FileCheck %s --check-prefix=PLAIN

// The packed weight goes into the group, which takes it apart again: its meaning stays. Vectors are padded to 64.
// CHECK-LABEL: func @conv
// CHECK: %[[W:.*]] = hourglass.weight "c.weight"
// CHECK: %[[B:.*]] = hourglass.weight "c.bias"
// WIDE: %[[PW:.*]] = hourglass.pack %[[W]] {extents = array<i64: 1, 3, 3, 3, 16>, problem = "pack_conv panel16
// NARROW: %[[PW:.*]] = hourglass.pack %[[W]] {extents = array<i64: 1, 3, 3, 3, 8>, problem = "pack_conv panel8
// CHECK: %[[PB:.*]] = hourglass.pack %[[B]] {extents = array<i64: 64>, problem = "pack_vector : f32"}
// CHECK: hourglass.group(%{{.*}}, %[[PW]], %[[PB]]) attributes {{{.*}}schedule = "direct
// CHECK-DAG: %[[UB:.*]] = hourglass.unpack %{{.*}} {extents = array<i64: 5>}
// CHECK-DAG: %[[UW:.*]] = hourglass.unpack %{{.*}} {extents = array<i64: 5, 3, 3, 3>}
// CHECK: hourglass.conv %{{.*}}, %[[UW]], %[[UB]]
func.func @conv(%x: tensor<1x3x8x8xf32>) -> tensor<1x5x6x6xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<5x3x3x3xf32>
  %b = hourglass.weight "c.bias" init "zero" : tensor<5xf32>
  %y = hourglass.conv %x, %w, %b {operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x3x8x8xf32>, tensor<5x3x3x3xf32>, tensor<5xf32>) -> tensor<1x5x6x6xf32>
  return %y : tensor<1x5x6x6xf32>
}

// 3x3 with many channels is Winograd's, unless it is forbidden.
// CHECK-LABEL: func @many
// CHECK: hourglass.pack {{.*}}problem = "pack_winograd
// CHECK: schedule = "winograd
// PLAIN-LABEL: func @many
// PLAIN: hourglass.pack {{.*}}problem = "pack_conv
// PLAIN: schedule = "direct
func.func @many(%x: tensor<1x64x8x8xf32>) -> tensor<1x64x6x6xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<64x64x3x3xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x8x8xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x6x6xf32>
  return %y : tensor<1x64x6x6xf32>
}

// A filter for each channel has a family of its own.
// CHECK-LABEL: func @depthwise
// CHECK: schedule = "depthwise
func.func @depthwise(%x: tensor<1x32x8x8xf32>) -> tensor<1x32x6x6xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<32x1x3x3xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, groups = 32 : i64} : (tensor<1x32x8x8xf32>, tensor<32x1x3x3xf32>) -> tensor<1x32x6x6xf32>
  return %y : tensor<1x32x6x6xf32>
}

// A schedule that is already there stays.
// CHECK-LABEL: func @mine
// CHECK: schedule = "mine a=1"
func.func @mine(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %y = hourglass.group(%x) attributes {schedule = "mine a=1"} {
  ^bb0(%a: tensor<1x4x8x8xf32>):
    %r = hourglass.activation %a {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    hourglass.yield %r : tensor<1x4x8x8xf32>
  } : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %y : tensor<1x4x8x8xf32>
}

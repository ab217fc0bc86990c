// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-deconv))' | FileCheck %s

// 2x2, stride 2: four 1x1 convolutions, one tap each.
// CHECK-LABEL: func @up2
// CHECK: %[[F0:.*]] = hourglass.phase_weight %{{.*}} {first = array<i64: 0, 0>, step = array<i64: 2, 2>, taps = array<i64: 1, 1>}
// CHECK: %[[P0:.*]] = hourglass.conv %{{.*}}, %[[F0]]
// CHECK: %[[F1:.*]] = hourglass.phase_weight %{{.*}} {first = array<i64: 0, 1>, step = array<i64: 2, 2>, taps = array<i64: 1, 1>}
// CHECK: %[[P1:.*]] = hourglass.conv %{{.*}}, %[[F1]]
// CHECK: hourglass.interleave %[[P0]], %[[P1]], {{.*}} {stride = array<i64: 2, 2>} : {{.*}} -> tensor<1x4x10x10xf32>
// CHECK-NOT: hourglass.deconv
func.func @up2(%x: tensor<1x3x5x5xf32>) -> tensor<1x4x10x10xf32> {
  %w = hourglass.weight "d.weight" init "he" : tensor<3x4x2x2xf32>
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x3x5x5xf32>, tensor<3x4x2x2xf32>) -> tensor<1x4x10x10xf32>
  return %y : tensor<1x4x10x10xf32>
}

// 3x3, stride 2, padding 1: phases of one and of two taps; 9 = 5 + 4 rows.
// CHECK-LABEL: func @up3
// CHECK: first = array<i64: 1, 1>, step = array<i64: 2, 2>, taps = array<i64: 1, 1>
// CHECK: hourglass.conv {{.*}} -> tensor<1x4x5x5xf32>
// CHECK: first = array<i64: 1, 0>, step = array<i64: 2, 2>, taps = array<i64: 1, 2>
// CHECK: hourglass.conv {{.*}} -> tensor<1x4x5x4xf32>
// CHECK: first = array<i64: 0, 1>, step = array<i64: 2, 2>, taps = array<i64: 2, 1>
// CHECK: first = array<i64: 0, 0>, step = array<i64: 2, 2>, taps = array<i64: 2, 2>
// CHECK: hourglass.interleave {{.*}} -> tensor<1x4x9x9xf32>
func.func @up3(%x: tensor<1x3x5x5xf32>) -> tensor<1x4x9x9xf32> {
  %w = hourglass.weight "d.weight" init "he" : tensor<3x4x3x3xf32>
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x3x5x5xf32>, tensor<3x4x3x3xf32>) -> tensor<1x4x9x9xf32>
  return %y : tensor<1x4x9x9xf32>
}

// Stride 1 needs no interleaving; an activation behind goes into each phase.
// CHECK-LABEL: func @one
// CHECK: %[[Y:.*]] = hourglass.conv {{.*}} padding = array<i64: 2, 2, 2, 2>
// CHECK-NOT: interleave
// CHECK: return %[[Y]]
func.func @one(%x: tensor<1x3x5x5xf32>) -> tensor<1x4x7x7xf32> {
  %w = hourglass.weight "d.weight" init "he" : tensor<3x4x3x3xf32>
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x5x5xf32>, tensor<3x4x3x3xf32>) -> tensor<1x4x7x7xf32>
  return %y : tensor<1x4x7x7xf32>
}

// CHECK-LABEL: func @relu
// CHECK-COUNT-4: hourglass.activation
// CHECK: %[[I:.*]] = hourglass.interleave
// CHECK-NEXT: return %[[I]]
func.func @relu(%x: tensor<1x3x?x?xf32>) -> tensor<1x4x?x?xf32> {
  %w = hourglass.weight "d.weight" init "he" : tensor<3x4x2x2xf32>
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x3x?x?xf32>, tensor<3x4x2x2xf32>) -> tensor<1x4x?x?xf32>
  %r = hourglass.activation %y {function = "relu"} : (tensor<1x4x?x?xf32>) -> tensor<1x4x?x?xf32>
  return %r : tensor<1x4x?x?xf32>
}

// One pixel gives one row: the second phase would be empty, so the result is made larger and cropped.
// CHECK-LABEL: func @tiny
// CHECK: hourglass.interleave {{.*}} -> tensor<1x4x2x2xf32>
// CHECK: hourglass.crop {{.*}} {offset = array<i64: 0, 0>, size = array<i64: 1, 1>}
func.func @tiny(%x: tensor<1x3x1x1xf32>) -> tensor<1x4x1x1xf32> {
  %w = hourglass.weight "d.weight" init "he" : tensor<3x4x3x3xf32>
  %y = hourglass.deconv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x3x1x1xf32>, tensor<3x4x3x3xf32>) -> tensor<1x4x1x1xf32>
  return %y : tensor<1x4x1x1xf32>
}

// With stride 1 the extents that a gradient restores follow from its operand's, known or not.
// CHECK-LABEL: func @gradient
// CHECK: hourglass.conv %{{.*}} padding = array<i64: 1, 1, 1, 1>
// CHECK-NOT: hourglass.deconv
// CHECK: return
func.func @gradient(%dy: tensor<1x4x?x?xf32>, %x: tensor<1x3x?x?xf32>) -> tensor<1x3x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<4x3x3x3xf32>
  %dx = hourglass.deconv %dy, %w, %x {operandSegmentSizes = array<i32: 1, 1, 0, 1>, same} : (tensor<1x4x?x?xf32>, tensor<4x3x3x3xf32>, tensor<1x3x?x?xf32>) -> tensor<1x3x?x?xf32>
  return %dx : tensor<1x3x?x?xf32>
}

// Convolutions on tensor cores make the maxima of their pixels, with any filter and stride.

// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups{separable=false}),hg-set-precision{precision=bf16},func.func(hg-fuse-pools{isa=cuda}))' | FileCheck %s
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups{separable=false}),hg-set-precision{precision=tf32},func.func(hg-fuse-pools{isa=cuda}))' | FileCheck %s
// In f32 there are no tensor cores: all pools stay kernels.
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups{separable=false},hg-fuse-pools{isa=cuda}))' | FileCheck %s --check-prefix=APART
// APART-NOT: maxima of its pixels
// RUN: not segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-pools{isa=risc}))' 2>&1 | FileCheck %s --check-prefix=ISA
// ISA: unknown instruction set 'risc'

// Stride 2 and 1x1 taps; the last row and column of pixels have no maximum.
// CHECK-LABEL: func @stride
// CHECK: hourglass.group{{.*}}end = "a kernel ends with the maxima of its pixels"
// CHECK: hourglass.conv
// CHECK-NEXT: hourglass.maxpool
// CHECK-NEXT: hourglass.yield
func.func @stride(%x: tensor<1x16x21x21xf32>) -> tensor<1x24x5x5xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<24x16x1x1xf32>
  %c = hourglass.conv %x, %w {stride = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x21x21xf32>, tensor<24x16x1x1xf32>) -> tensor<1x24x11x11xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x24x11x11xf32>) -> (tensor<1x24x5x5xf32>, tensor<1x24x5x5xi8>)
  return %p : tensor<1x24x5x5xf32>
}

// An unpooling that asks the pixels for their extents asks what the convolution reads.
// CHECK-LABEL: func @asks
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor
// CHECK: %[[G:.*]]:2 = hourglass.group(%[[X]]
// CHECK: hourglass.conv
// CHECK: hourglass.maxpool
// CHECK: hourglass.group(%[[G]]#0, %[[G]]#1, %[[X]])
// CHECK: hourglass.unpool
func.func @asks(%x: tensor<1x16x?x?xf32>) -> tensor<1x16x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x?x?xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x?x?xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>)
  %u = hourglass.unpool %p, %i, %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>, tensor<1x16x?x?xf32>) -> tensor<1x16x?x?xf32>
  return %u : tensor<1x16x?x?xf32>
}

// It has no operand of the same extents: two kernels, and the unpooling.
// CHECK-LABEL: func @asksNobody
// CHECK-COUNT-3: hourglass.group
func.func @asksNobody(%x: tensor<1x16x?x?xf32>) -> tensor<1x16x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x?x?xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x?x?xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>)
  %u = hourglass.unpool %p, %i, %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>, tensor<1x16x?x?xf32>) -> tensor<1x16x?x?xf32>
  return %u : tensor<1x16x?x?xf32>
}

// 12 channels, and a slice that begins at the fourth: other families compute these, which make no maxima.
// CHECK-LABEL: func @others
// CHECK-COUNT-4: hourglass.group
func.func @others(%x: tensor<1x24x8x8xf32>) -> (tensor<1x12x4x4xf32>, tensor<1x16x4x4xf32>) {
  %w = hourglass.weight "c.weight" init "he" : tensor<12x24x1x1xf32>
  %c = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x24x8x8xf32>, tensor<12x24x1x1xf32>) -> tensor<1x12x8x8xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x12x8x8xf32>) -> (tensor<1x12x4x4xf32>, tensor<1x12x4x4xi8>)
  %s = hourglass.slice %x {offset = 4 : i64, size = 16 : i64} : (tensor<1x24x8x8xf32>) -> tensor<1x16x8x8xf32>
  %v = hourglass.weight "d.weight" init "he" : tensor<16x16x1x1xf32>
  %d = hourglass.conv %s, %v {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x8x8xf32>, tensor<16x16x1x1xf32>) -> tensor<1x16x8x8xf32>
  %q, %j = hourglass.maxpool %d {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x8x8xf32>) -> (tensor<1x16x4x4xf32>, tensor<1x16x4x4xi8>)
  return %p, %q : tensor<1x12x4x4xf32>, tensor<1x16x4x4xf32>
}

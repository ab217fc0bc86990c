// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-fuse-pools))' | FileCheck %s
// In bf16 on AMX too, where Winograd's kernels do not matter.
// RUN: segc-opt %s --pass-pipeline='builtin.module(hg-set-precision{precision=bf16},func.func(hg-fuse-groups,hg-fuse-pools{isa=amx winograd=false}))' | FileCheck %s --check-prefix=AMX
// RUN: segc-opt %s --pass-pipeline='builtin.module(hg-set-precision{precision=bf16},func.func(hg-fuse-groups,hg-fuse-pools{isa=avx512 winograd=false}))' | FileCheck %s --check-prefix=NONE
// AMX-LABEL: func @alone
// AMX: hourglass.group{{.*}}end = "a kernel ends with the maxima of its pixels"
// NONE-NOT: a kernel ends with the maxima of its pixels

// Nobody else reads the pixels: they are never written.
// CHECK-LABEL: func @alone
// CHECK: %[[P:.*]] = hourglass.group{{.*}}end = "a kernel ends with the maxima of its pixels"
// CHECK: hourglass.conv
// CHECK-NEXT: hourglass.activation
// CHECK-NEXT: hourglass.maxpool
// CHECK-NEXT: hourglass.yield
// CHECK: return %[[P]]
func.func @alone(%x: tensor<1x16x9x9xf32>) -> tensor<1x16x4x4xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x9x9xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x9x9xf32>
  %r = hourglass.activation %c {function = "relu"} : (tensor<1x16x9x9xf32>) -> tensor<1x16x9x9xf32>
  %p, %i = hourglass.maxpool %r {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x9x9xf32>) -> (tensor<1x16x4x4xf32>, tensor<1x16x4x4xi8>)
  return %p : tensor<1x16x4x4xf32>
}

// A skip reads the pixels, and the concat says that their extents are even: four phases and the maxima.
// CHECK-LABEL: func @skip
// CHECK: %[[G:.*]]:5 = hourglass.group
// CHECK: hourglass.conv
// CHECK: hourglass.phase {{.*}}offset = array<i64: 0, 0>
// CHECK: hourglass.phase {{.*}}offset = array<i64: 0, 1>
// CHECK: hourglass.phase {{.*}}offset = array<i64: 1, 0>
// CHECK: hourglass.phase {{.*}}offset = array<i64: 1, 1>
// CHECK: hourglass.maxpool
// CHECK: %[[WHOLE:.*]] = hourglass.interleave %[[G]]#0, %[[G]]#1, %[[G]]#2, %[[G]]#3
// CHECK: %[[UP:.*]] = hourglass.group(%[[G]]#4)
// CHECK: hourglass.concat %[[WHOLE]], %[[UP]]
func.func @skip(%x: tensor<1x16x?x?xf32>) -> tensor<1x32x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x?x?xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x?x?xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>)
  %u = hourglass.upsample %p {mode = "nearest", scale_num = array<i64: 2, 2>, scale_den = array<i64: 1, 1>} : (tensor<1x16x?x?xf32>) -> tensor<1x16x?x?xf32>
  %k = hourglass.concat %c, %u : (tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>) -> tensor<1x32x?x?xf32>
  return %k : tensor<1x32x?x?xf32>
}

// So does a sum of equal phases.
// CHECK-LABEL: func @phases
// CHECK: hourglass.phase
// CHECK: hourglass.maxpool
func.func @phases(%x: tensor<1x16x?x?xf32>) -> tensor<1x32x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x?x?xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x?x?xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>)
  %u = hourglass.interleave %p, %p, %p, %p {stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>) -> tensor<1x16x?x?xf32>
  %k = hourglass.concat %c, %u : (tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>) -> tensor<1x32x?x?xf32>
  return %k : tensor<1x32x?x?xf32>
}

// The index of each maximum, for an unpooling that asks another value for its extents.
// CHECK-LABEL: func @index
// CHECK: hourglass.group
// CHECK: hourglass.conv
// CHECK: hourglass.maxpool
// CHECK-NOT: hourglass.maxpool
// CHECK: hourglass.unpool
func.func @index(%x: tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x8x8xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x8x8xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x8x8xf32>) -> (tensor<1x16x4x4xf32>, tensor<1x16x4x4xi8>)
  %u = hourglass.unpool %p, %i, %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x4x4xf32>, tensor<1x16x4x4xi8>, tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32>
  return %u : tensor<1x16x8x8xf32>
}

// Extents that nothing proves even, a stride: two kernels each.
// CHECK-LABEL: func @apart
// CHECK-COUNT-4: hourglass.group
// CHECK-NOT: hourglass.group
func.func @apart(%x: tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>) {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x?x?xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x?x?xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>)
  %d = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, stride = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x?x?xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x?x?xf32>
  %q, %j = hourglass.maxpool %d {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x16x?x?xf32>) -> (tensor<1x16x?x?xf32>, tensor<1x16x?x?xi8>)
  return %c, %p, %q : tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>, tensor<1x16x?x?xf32>
}

// Windows of 3x3 pixels overlap.
// CHECK-LABEL: func @window
// CHECK-COUNT-2: hourglass.group
func.func @window(%x: tensor<1x16x9x9xf32>) -> tensor<1x16x4x4xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<16x16x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x9x9xf32>, tensor<16x16x3x3xf32>) -> tensor<1x16x9x9xf32>
  %p, %i = hourglass.maxpool %c {kernel = array<i64: 3, 3>, stride = array<i64: 2, 2>} : (tensor<1x16x9x9xf32>) -> (tensor<1x16x4x4xf32>, tensor<1x16x4x4xi8>)
  return %p : tensor<1x16x4x4xf32>
}

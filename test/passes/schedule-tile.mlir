// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-schedule{isa=avx512}))' | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-schedule{isa=avx2}))' | FileCheck %s --check-prefixes=CHECK,NARROW

// The register tile of a direct convolution computes few channels and pixels in vain: seven vectors of channels (14 with
// avx2) and 32 pixels are whole tiles.
// CHECK-LABEL: func @fits
// WIDE: schedule = "direct cv=1 px=8
// NARROW: schedule = "direct cv=2 px=4
func.func @fits(%x: tensor<1x672x32x32xf32>) -> tensor<1x112x32x32xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<112x672x1x1xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x672x32x32xf32>, tensor<112x672x1x1xf32>) -> tensor<1x112x32x32xf32>
  return %y : tensor<1x112x32x32xf32>
}

// CHECK-LABEL: func @odd_width
// WIDE: schedule = "direct cv=2 px=11
// NARROW: schedule = "direct cv=2 px=5
func.func @odd_width(%x: tensor<1x128x33x33xf32>) -> tensor<1x128x33x33xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<128x128x1x1xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x128x33x33xf32>, tensor<128x128x1x1xf32>) -> tensor<1x128x33x33xf32>
  return %y : tensor<1x128x33x33xf32>
}

// Rows shorter than a tile would be computed pixel by pixel.
// CHECK-LABEL: func @short
// CHECK: schedule = "direct cv={{[1-4]}} px={{[1-5]}} rows
func.func @short(%x: tensor<1x128x5x5xf32>) -> tensor<1x128x5x5xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<128x128x1x1xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x128x5x5xf32>, tensor<128x128x1x1xf32>) -> tensor<1x128x5x5xf32>
  return %y : tensor<1x128x5x5xf32>
}

// CHECK-LABEL: func @any
// WIDE: schedule = "direct cv=4 px=6
// NARROW: schedule = "direct cv=2 px=6
func.func @any(%x: tensor<1x128x?x?xf32>) -> tensor<1x128x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<128x128x1x1xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x128x?x?xf32>, tensor<128x128x1x1xf32>) -> tensor<1x128x?x?xf32>
  return %y : tensor<1x128x?x?xf32>
}

// Tiles of depthwise convolutions: two vectors where the filter is dilated, few pixels where the row is short.
// CHECK-LABEL: func @depthwise
// WIDE: schedule = "depthwise cv=2 px=8 rows=1"
// NARROW: schedule = "depthwise cv=1 px=8 rows=2"
// CHECK: schedule = "depthwise cv=1 px=8 rows=2"
func.func @depthwise(%x: tensor<1x960x32x32xf32>) -> tensor<1x960x32x32xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<960x1x5x5xf32>
  %c = hourglass.conv %x, %w {groups = 960 : i64, padding = array<i64: 4, 4, 4, 4>, dilation = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x960x32x32xf32>, tensor<960x1x5x5xf32>) -> tensor<1x960x32x32xf32>
  %d = hourglass.conv %c, %w {groups = 960 : i64, padding = array<i64: 2, 2, 2, 2>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x960x32x32xf32>, tensor<960x1x5x5xf32>) -> tensor<1x960x32x32xf32>
  return %d : tensor<1x960x32x32xf32>
}

// CHECK-LABEL: func @short_rows
// CHECK: schedule = "depthwise cv=1 px=6 rows=2"
func.func @short_rows(%x: tensor<1x64x6x6xf32>) -> tensor<1x64x6x6xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<64x1x3x3xf32>
  %c = hourglass.conv %x, %w {groups = 64 : i64, padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x6x6xf32>, tensor<64x1x3x3xf32>) -> tensor<1x64x6x6xf32>
  return %c : tensor<1x64x6x6xf32>
}

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
// WIDE: schedule = "direct cv=2 px=8
// NARROW: schedule = "direct cv=2 px=6
func.func @any(%x: tensor<1x128x?x?xf32>) -> tensor<1x128x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<128x128x1x1xf32>
  %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x128x?x?xf32>, tensor<128x128x1x1xf32>) -> tensor<1x128x?x?xf32>
  return %y : tensor<1x128x?x?xf32>
}

// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups,hg-schedule{isa=avx512}))' | FileCheck %s

// Blocks of 32 tiles halve the passes over wide weights, where the image has so many.
// CHECK-LABEL: func @large
// CHECK: schedule = "winograd bx=8 by=4 {{.*}} tx=4 ty=4"
func.func @large(%x: tensor<1x256x32x32xf32>) -> tensor<1x256x32x32xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<256x256x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x256x32x32xf32>, tensor<256x256x3x3xf32>) -> tensor<1x256x32x32xf32>
  return %c : tensor<1x256x32x32xf32>
}

// CHECK-LABEL: func @small
// CHECK: schedule = "winograd bx=4 by=4 {{.*}} tx=4 ty=4"
func.func @small(%x: tensor<1x256x16x16xf32>) -> tensor<1x256x16x16xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<256x256x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x256x16x16xf32>, tensor<256x256x3x3xf32>) -> tensor<1x256x16x16xf32>
  return %c : tensor<1x256x16x16xf32>
}

// Extents that are not known choose as large ones do.
// CHECK-LABEL: func @any
// CHECK: schedule = "winograd bx=8 by=4 {{.*}} tx=4 ty=4"
func.func @any(%x: tensor<1x256x?x?xf32>) -> tensor<1x256x?x?xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<256x256x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x256x?x?xf32>, tensor<256x256x3x3xf32>) -> tensor<1x256x?x?xf32>
  return %c : tensor<1x256x?x?xf32>
}

// Large images of few channels take large tiles, of an image of few pixels the filters are what is read most.
// CHECK-LABEL: func @wide
// CHECK: pack_winograd panel64 tile6x6
// CHECK: schedule = "winograd {{.*}} tx=6 ty=6"
func.func @wide(%x: tensor<1x64x128x128xf32>) -> tensor<1x64x128x128xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<64x64x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x128x128xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x128x128xf32>
  return %c : tensor<1x64x128x128xf32>
}

// CHECK-LABEL: func @deep
// CHECK: pack_winograd panel32 tile4x2
// CHECK: schedule = "winograd {{.*}} tx=2 ty=4"
func.func @deep(%x: tensor<1x512x16x16xf32>) -> tensor<1x512x16x16xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<512x512x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x512x16x16xf32>, tensor<512x512x3x3xf32>) -> tensor<1x512x16x16xf32>
  return %c : tensor<1x512x16x16xf32>
}

// With 1024 output channels that holds up to 32 x 32 pixels, with fewer it does not.
// CHECK-LABEL: func @deepest
// CHECK: schedule = "winograd bx=8 by=4 {{.*}} tx=2 ty=4"
func.func @deepest(%x: tensor<1x512x32x32xf32>) -> tensor<1x1024x32x32xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<1024x512x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x512x32x32xf32>, tensor<1024x512x3x3xf32>) -> tensor<1x1024x32x32xf32>
  return %c : tensor<1x1024x32x32xf32>
}

// CHECK-LABEL: func @narrower
// CHECK: schedule = "winograd bx=8 by=4 {{.*}} tx=4 ty=4"
func.func @narrower(%x: tensor<1x1024x32x32xf32>) -> tensor<1x512x32x32xf32> {
  %w = hourglass.weight "c.weight" init "he" : tensor<512x1024x3x3xf32>
  %c = hourglass.conv %x, %w {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x1024x32x32xf32>, tensor<512x1024x3x3xf32>) -> tensor<1x512x32x32xf32>
  return %c : tensor<1x512x32x32xf32>
}

// RUN: segc-opt %s | segc-opt | FileCheck %s

// CHECK-LABEL: func @weights
func.func @weights() {
  // CHECK: hourglass.weight "enc1.weight" init "he" : tensor<4x3x2x2xf32>
  %w = hourglass.weight "enc1.weight" init "he" : tensor<4x3x2x2xf32>
  // CHECK: hourglass.weight "n.running_var" init "one" {running} : tensor<4xf32>
  %v = hourglass.weight "n.running_var" init "one" {running} : tensor<4xf32>
  %m = hourglass.weight "n.running_mean" init "zero" {running} : tensor<4xf32>
  %g = hourglass.weight "n.weight" init "constant:0.5" : tensor<4xf32>
  %b = hourglass.weight "n.bias" init "zero" : tensor<4xf32>
  // CHECK: %[[S:.*]] = hourglass.norm_scale %{{.*}}, %{{.*}} {eps = 1.000000e-05 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = hourglass.norm_scale %g, %v {eps = 1.0e-5 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: hourglass.norm_scale %{{[^,]*}} {eps
  %plain = hourglass.norm_scale %v {eps = 1.0e-5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: hourglass.norm_shift %{{.*}}, %{{.*}}, %[[S]] {operandSegmentSizes = array<i32: 1, 1, 1, 0>}
  %t = hourglass.norm_shift %b, %m, %s {operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: hourglass.scale_weight %{{.*}}, %[[S]] : (tensor<4x3x2x2xf32>, tensor<4xf32>) -> tensor<4x3x2x2xf32>
  %sw = hourglass.scale_weight %w, %s : (tensor<4x3x2x2xf32>, tensor<4xf32>) -> tensor<4x3x2x2xf32>
  // A deconvolution of two groups has 2 x 2 output channels: [in, out/groups, h, w].
  %d = hourglass.weight "d.weight" init "bilinear" : tensor<6x2x3x3xf32>
  // CHECK: hourglass.scale_weight %{{.*}}, %[[S]] {deconv, groups = 2 : i64}
  %sd = hourglass.scale_weight %d, %s {deconv, groups = 2 : i64} : (tensor<6x2x3x3xf32>, tensor<4xf32>) -> tensor<6x2x3x3xf32>
  // Its phase is a convolution's weight: [out, in/groups, taps].
  // CHECK: hourglass.phase_weight {{.*}} -> tensor<4x3x2x1xf32>
  %p = hourglass.phase_weight %sd {first = array<i64: 0, 1>, step = array<i64: 2, 2>, taps = array<i64: 2, 1>, groups = 2 : i64} : (tensor<6x2x3x3xf32>) -> tensor<4x3x2x1xf32>
  // CHECK: %[[K:.*]] = hourglass.pack {{.*}} -> tensor<1x2x2x3x16xf32>
  %k = hourglass.pack %w {problem = "pack_conv panel16 : f32", extents = array<i64: 1, 2, 2, 3, 16>} : (tensor<4x3x2x2xf32>) -> tensor<1x2x2x3x16xf32>
  // CHECK: hourglass.unpack %[[K]] {{.*}} -> tensor<4x3x2x2xf32>
  %u = hourglass.unpack %k {extents = array<i64: 4, 3, 2, 2>} : (tensor<1x2x2x3x16xf32>) -> tensor<4x3x2x2xf32>
  return
}

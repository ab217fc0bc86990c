// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-deconv,hg-fuse-groups),hg-set-precision{precision=bf16},func.func(hg-schedule{isa=amx}),cse,hg-hoist-weights,plan-memory{isa=amx},plan-merge-phases{isa=amx},plan-outline)' | FileCheck %s
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-deconv,hg-fuse-groups),hg-set-precision{precision=bf16},func.func(hg-schedule{isa=amx without=amx}),cse,hg-hoist-weights,plan-memory{isa=amx},plan-merge-phases{isa=amx},plan-outline)' | FileCheck %s --check-prefix=OTHERS

// The phases of a deconvolution to 8 MB are one launch, which stores past the caches.
// CHECK-DAG: problem "conv c16 k64 r1x1 s1x1 d1x1 g1 in16 out128 phases=4 +bias : bf16" schedule "amx {{.*}} stream=1"
// Those to 2 MB are four, and so are those of 40 channels, which are no whole lines of the caches.
// CHECK-DAG: problem "conv c16 k64 r1x1 s1x1 d1x1 g1 in16 out128 +bias : bf16" schedule "amx {{.*}} stream=0"
// CHECK-DAG: problem "conv c16 k40 r1x1 s1x1 d1x1 g1 in16 out80 : bf16" schedule "amx {{.*}} stream=0"
// OTHERS-NOT: phases=
module {
func.func @main(%x: tensor<1x16x128x128xf32> {hourglass.name = "x"}, %s: tensor<1x16x64x64xf32> {hourglass.name = "s"}) -> (tensor<1x64x256x256xf32> {hourglass.name = "a"}, tensor<1x64x128x128xf32> {hourglass.name = "b"}, tensor<1x40x256x256xf32> {hourglass.name = "c"}) {
  %w = hourglass.weight "a.weight" init "he" : tensor<16x64x2x2xf32>
  %v = hourglass.weight "a.bias" init "zero" : tensor<64xf32>
  %u = hourglass.weight "c.weight" init "he" : tensor<16x40x2x2xf32>
  %a = hourglass.deconv %x, %w, %v {stride = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x16x128x128xf32>, tensor<16x64x2x2xf32>, tensor<64xf32>) -> tensor<1x64x256x256xf32> loc("a")
  %b = hourglass.deconv %s, %w, %v {stride = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x16x64x64xf32>, tensor<16x64x2x2xf32>, tensor<64xf32>) -> tensor<1x64x128x128xf32> loc("b")
  %c = hourglass.deconv %x, %u {stride = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x128x128xf32>, tensor<16x40x2x2xf32>) -> tensor<1x40x256x256xf32> loc("c")
  return %a, %b, %c : tensor<1x64x256x256xf32>, tensor<1x64x128x128xf32>, tensor<1x40x256x256xf32>
} loc("main")
}

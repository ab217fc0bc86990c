// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-deconv,hg-fuse-groups{separable=false}),hg-set-precision{precision=bf16},func.func(hg-schedule{isa=cuda}),cse,hg-hoist-weights,plan-memory{isa=cuda},plan-merge-phases{isa=cuda},plan-outline)' | FileCheck %s
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-split-deconv,hg-fuse-groups{separable=false}),hg-set-precision{precision=bf16},func.func(hg-schedule{isa=cuda without=tensor_cores}),cse,hg-hoist-weights,plan-memory{isa=cuda},plan-merge-phases{isa=cuda},plan-outline)' | FileCheck %s --check-prefix=OTHERS

// The four phases of 4x4 taps with stride 2 have 2x2 taps each: one launch, of four inputs that begin at different pixels,
// four filters, one bias, four results.
// CHECK: plan.kernel @conv_c16_k8_r2x2{{.*}} problem "conv c16 k8 r2x2 s1x1 d1x1 g1 in16 out16 phases=4 +bias : bf16" schedule "tensor_cores
// CHECK: ^bb0({{(%[^ ]+: tensor<1x16x9x9xf32>, ){4}(%[^ ]+: tensor<8x2x2x8x2xbf16>, ){4}%[^ ]+: tensor<64xf32>}}):
// CHECK-COUNT-4: hourglass.conv
// CHECK: plan.yield {{.*}} : tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>
// Those of 3x3 taps have 1x1, 1x2, 2x1 and 2x2.
// CHECK-DAG: problem "conv c16 k8 r1x1 s1x1 d1x1 g1 in16 out16 : bf16"
// CHECK-DAG: problem "conv c16 k8 r1x2 s1x1 d1x1 g1 in16 out16 : bf16"
// OTHERS-NOT: phases=
module {
func.func @main(%x: tensor<1x16x8x8xf32> {hourglass.name = "x"}) -> (tensor<1x8x16x16xf32> {hourglass.name = "a"}, tensor<1x8x15x15xf32> {hourglass.name = "b"}) {
  %w = hourglass.weight "a.weight" init "he" : tensor<16x8x4x4xf32>
  %v = hourglass.weight "a.bias" init "zero" : tensor<8xf32>
  %u = hourglass.weight "b.weight" init "he" : tensor<16x8x3x3xf32>
  %a = hourglass.deconv %x, %w, %v {stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x16x8x8xf32>, tensor<16x8x4x4xf32>, tensor<8xf32>) -> tensor<1x8x16x16xf32> loc("a")
  %b = hourglass.deconv %x, %u {stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x8x8xf32>, tensor<16x8x3x3xf32>) -> tensor<1x8x15x15xf32> loc("b")
  return %a, %b : tensor<1x8x16x16xf32>, tensor<1x8x15x15xf32>
} loc("main")
}

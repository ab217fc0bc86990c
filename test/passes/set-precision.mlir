// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups),hg-set-precision{precision=bf16},func.func(hg-schedule{isa=avx512bf16 without=winograd_bf16}),hg-hoist-weights,plan-memory{isa=avx512bf16})' | FileCheck %s
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups),hg-set-precision{precision=f16},func.func(hg-schedule{isa=cuda}),hg-hoist-weights,plan-memory{isa=cuda})' | FileCheck %s --check-prefix=F16
// RUN: not segc-opt %s --pass-pipeline='builtin.module(hg-set-precision{precision=f8})' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: sed 's/^module {/module attributes {hourglass.training = {wrt = ["image"]}} {/' %s > %t.mlir
// RUN: not segc-opt %t.mlir --pass-pipeline='builtin.module(hg-set-precision{precision=f16})' 2>&1 | FileCheck %s --check-prefix=TRAINING

// UNKNOWN: error: unknown precision 'f8': f32, bf16, f16 or tf32
// TRAINING: error: gradients of inputs ("wrt") are not scaled back from f16: take -precision bf16 or f32

// What is stored is bf16: buffers, views, packed weights. What ops mean stays f32, and so do vectors and the caller's
// tensors.
// CHECK: module attributes {hourglass.precision = "bf16"}
// CHECK: plan.program @prepare
// CHECK: pack_conv panel16 {{.*}} : bf16
// CHECK: plan.program @run
// CHECK-DAG: plan.alloc "" bf16
// CHECK-DAG: plan.alloc "c" bf16
// CHECK: plan.input {{.*}}<tensor<1x16x8x8xf32>>
// CHECK: "import c16 out16 from=f32 : bf16"
// CHECK: "conv c16 k5 {{.*}} +bias : bf16"
// CHECK: ^bb0(%{{.*}}: tensor<1x16x8x8xf32>, %{{.*}}: tensor<1x3x3x8x32xbf16>, %{{.*}}: tensor<64xf32>):
// CHECK: "export c5 in5 to=f32 : bf16"

// In f16, as on GPUs in bf16, weights stay f32.
// F16: module attributes {hourglass.precision = "f16"}
// F16: pack_conv panel{{.*}} : f32
// F16-DAG: plan.alloc "" f16
// F16-DAG: plan.alloc "c" f16
// F16: "import c16 out16 from=f32 : f16"
// F16: "conv c16 k5 {{.*}} +bias : f16"
// F16: "export c5 in5 to=f32 : f16"
module {
func.func @main(%x: tensor<1x16x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x5x6x6xf32> {hourglass.name = "c"}) {
  %w = hourglass.weight "c.weight" init "he" : tensor<5x16x3x3xf32>
  %b = hourglass.weight "c.bias" init "zero" : tensor<5xf32>
  %y = hourglass.conv %x, %w, %b {operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x16x8x8xf32>, tensor<5x16x3x3xf32>, tensor<5xf32>) -> tensor<1x5x6x6xf32> loc("c")
  return %y : tensor<1x5x6x6xf32>
} loc("main")
}

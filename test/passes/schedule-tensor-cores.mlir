// Which convolutions of a GPU go to tensor cores: those of 16-bit activations, those of f32 where products may be rounded
// to TF32, as far as channels and places are multiples of 8.

// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups{separable=false}),hg-set-precision{precision=tf32},func.func(hg-schedule{isa=cuda}),hg-hoist-weights,plan-memory{isa=cuda})' | FileCheck %s --check-prefix=TF32
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups{separable=false}),func.func(hg-schedule{isa=cuda}),hg-hoist-weights,plan-memory{isa=cuda})' | FileCheck %s --check-prefix=F32
// RUN: segc-opt %s --pass-pipeline='builtin.module(func.func(hg-fuse-groups{separable=false}),hg-set-precision{precision=tf32},func.func(hg-schedule{isa=cuda without=tensor_cores}),hg-hoist-weights,plan-memory{isa=cuda})' | FileCheck %s --check-prefix=F32

// F32-NOT: tensor_cores

// Output channels, taps, input channels: panels of one.
// TF32: "pack_conv panel1 g1 scale0 from=conv step1x1 : f32"
// TF32: tensor<64x3x3x64x1xf32>
// TF32: plan.program @run

// Of 8 x 8 pixels there are few: parts of the sum fill the GPU.
// TF32: problem "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias +relu : f32" schedule "tensor_cores k=16 m={{[0-9]+}} n={{[0-9]+}} parts={{[2-9]|[1-9][0-9]+}} stages={{[0-9]+}} width=0 wm={{[0-9]+}} wn={{[0-9]+}}"
// 12 channels are no octets.
// TF32: problem "conv c64 k12 {{[^"]*}}" schedule "conv_tile
// TF32-SAME: not_on_tensor_cores = "{{[^"]*}}12 channels are not a multiple of 8
// TF32: problem "conv c64 k64 r3x3 s1x1 d1x1 g2 {{[^"]*}}" schedule "threads
// TF32-SAME: not_on_tensor_cores = "{{[^"]*}}2 groups; tensor-core kernels have one"
// Of 76 channels the last 64 would begin at the 12th, 76 elements from pixel to pixel: they are made elsewhere and copied.
// TF32: problem "conv c64 k64 r1x1 {{[^"]*}} out64 : f32" schedule "tensor_cores
// TF32: problem "pointwise c64 in64 out76 : f32"
// Which does not help who reads them from there.
// TF32: problem "conv c64 k64 r1x1 {{[^"]*}} in76 out64 : f32" schedule "conv_tile
// TF32-SAME: not_on_tensor_cores = "it reads a slice that begins at no multiple of 8 channels"
module {
func.func @main(%x: tensor<1x64x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x64x8x8xf32> {hourglass.name = "c"}) {
  %w = hourglass.weight "a.weight" init "he" : tensor<64x64x3x3xf32>
  %b = hourglass.weight "a.bias" init "zero" : tensor<64xf32>
  %w12 = hourglass.weight "b.weight" init "he" : tensor<12x64x1x1xf32>
  %w2 = hourglass.weight "g.weight" init "he" : tensor<64x32x3x3xf32>
  %w1 = hourglass.weight "c.weight" init "he" : tensor<64x64x1x1xf32>
  %w3 = hourglass.weight "d.weight" init "he" : tensor<64x64x1x1xf32>
  %a = hourglass.conv %x, %w, %b {padding = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<1x64x8x8xf32>, tensor<64x64x3x3xf32>, tensor<64xf32>) -> tensor<1x64x8x8xf32> loc("a")
  %r = hourglass.activation %a {function = "relu"} : (tensor<1x64x8x8xf32>) -> tensor<1x64x8x8xf32>
  %n = hourglass.conv %r, %w12 {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x8x8xf32>, tensor<12x64x1x1xf32>) -> tensor<1x12x8x8xf32> loc("b")
  %g = hourglass.conv %r, %w2 {padding = array<i64: 1, 1, 1, 1>, groups = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x8x8xf32>, tensor<64x32x3x3xf32>) -> tensor<1x64x8x8xf32> loc("g")
  %c = hourglass.conv %g, %w1 {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x8x8xf32>, tensor<64x64x1x1xf32>) -> tensor<1x64x8x8xf32> loc("c")
  %all = hourglass.concat %n, %c : (tensor<1x12x8x8xf32>, tensor<1x64x8x8xf32>) -> tensor<1x76x8x8xf32>
  %s = hourglass.slice %all {offset = 12 : i64, size = 64 : i64} : (tensor<1x76x8x8xf32>) -> tensor<1x64x8x8xf32>
  %d = hourglass.conv %s, %w3 {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x64x8x8xf32>, tensor<64x64x1x1xf32>) -> tensor<1x64x8x8xf32> loc("d")
  return %d : tensor<1x64x8x8xf32>
} loc("main")
}

// Two phases of a deconvolution, and between them what each RUN line takes out of its comment. The merged launch stands in the
// place of the second phase: what it would see changed, or would change too late, keeps them apart, and so does what the pass
// cannot look into.

// DEFINE: %{pass} = segc-opt --pass-pipeline='builtin.module(plan-merge-phases{isa=cuda})'
// RUN: %{pass} %s | FileCheck %s --check-prefix=ONE
// RUN: sed 's,^// OTHERS: ,,' %s | %{pass} | FileCheck %s --check-prefixes=BETWEEN,ONE
// RUN: sed 's,^// SAME: ,,' %s | %{pass} | FileCheck %s --check-prefixes=BETWEEN,ONE
// RUN: sed 's,^// READS: ,,' %s | %{pass} | FileCheck %s --check-prefixes=APART,BOTH
// RUN: sed 's,^// SOURCE: ,,' %s | %{pass} | FileCheck %s --check-prefixes=APART,BOTH
// RUN: sed 's,^// RESULT: ,,' %s | %{pass} | FileCheck %s --check-prefixes=APART,BOTH
// RUN: sed 's,^// WEIGHT: ,,' %s | %{pass} | FileCheck %s --check-prefixes=APART,BOTH
// RUN: sed 's,^// BORDER: ,,' %s | %{pass} | FileCheck %s --check-prefixes=APART
// The second one is no phase of the first: another tile, another dilation, other channels, columns that are no neighbours.
// RUN: sed '/"second"/ s,stages=4,stages=3,' %s | %{pass} | FileCheck %s --check-prefix=APART
// RUN: sed '/"second"/ s,d1x1,d2x1,' %s | %{pass} | FileCheck %s --check-prefix=APART
// RUN: sed '/second result/ s,channels 0,channels 8,' %s | %{pass} | FileCheck %s --check-prefix=APART
// RUN: sed '/input of/ s,step \[1\, 1\],step [1\, 2],' %s | %{pass} | FileCheck %s --check-prefix=APART

// BETWEEN: plan.launch "between"
// ONE-NOT: plan.launch "first"
// ONE: plan.launch "first" problem "conv c16 k8 r2x2 s1x1 d1x1 g1 in16 out16 phases=2 : bf16"
// ONE-NOT: plan.launch "second"
// APART: plan.launch "first" problem "conv c16 k8 r2x2 s1x1 d1x1 g1 in16 out16 : bf16"
// BOTH: plan.launch "between"
// APART: plan.launch "second" problem "conv c16 k8 r2x2
module attributes {hourglass.precision = "bf16"} {
plan.program @prepare sizes [] {
}
plan.program @run sizes ["const 1", "const 8", "const 9", "const 0", "const -1", "const 16"] {
  %x = plan.alloc "x" bf16 extents [0, 1, 1] channels 16 apron [1, 1, 1, 9] : !plan.buffer
  %y = plan.alloc "y" bf16 extents [0, 5, 5] channels 16 apron [0, 0, 0, 0] : !plan.buffer
  %z = plan.alloc "z" bf16 extents [0, 5, 5] channels 16 apron [0, 0, 0, 0] : !plan.buffer
  %w0 = plan.prepared 0 : <tensor<8x2x2x8x2xbf16>>
  %w1 = plan.prepared 1 : <tensor<8x2x2x8x2xbf16>>
  %x0 = plan.view %x channels 0 of 16 extents [0, 2, 2] origin [4, 4] step [1, 1] : <tensor<1x16x9x9xbf16>> // input of the first
  %x1 = plan.view %x channels 0 of 16 extents [0, 2, 2] origin [4, 3] step [1, 1] : <tensor<1x16x9x9xbf16>> // input of the second
  %y0 = plan.view %y channels 0 of 16 extents [0, 1, 1] origin [3, 3] step [2, 2] : <tensor<1x8x8x8xbf16>>
  %y1 = plan.view %y channels 0 of 16 extents [0, 1, 1] origin [3, 0] step [2, 2] : <tensor<1x8x8x8xbf16>> // second result
  %from = plan.view %z channels 0 of 16 extents [0, 1, 1] origin [3, 3] step [1, 1] : <tensor<1x8x8x8xbf16>>
  %to = plan.view %z channels 8 of 16 extents [0, 1, 1] origin [3, 3] step [1, 1] : <tensor<1x8x8x8xbf16>>
  %source = plan.view %x channels 0 of 16 extents [0, 1, 1] origin [3, 3] step [1, 1] : <tensor<1x8x8x8xbf16>>
  %statistic = plan.weight "running" init "zero" {running} : <tensor<8xf32>>
  %vector = plan.prepared 2 : <tensor<8xf32>>

  plan.launch "first" problem "conv c16 k8 r2x2 s1x1 d1x1 g1 in16 out16 : bf16" schedule "tensor_cores k=32 m=64 n=32 parts=1 stages=4 width=0 wm=32 wn=16" reads(%x0, %w0) shapes() writes(%y0) {
  ^bb0(%a: tensor<1x16x9x9xf32>, %b: tensor<8x2x2x8x2xbf16>):
    %w = hourglass.unpack %b {extents = array<i64: 8, 16, 2, 2>} : (tensor<8x2x2x8x2xbf16>) -> tensor<8x16x2x2xf32>
    %v = hourglass.conv %a, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x9x9xf32>, tensor<8x16x2x2xf32>) -> tensor<1x8x8x8xf32>
    plan.yield %v : tensor<1x8x8x8xf32>
  } : (!plan.view<tensor<1x16x9x9xbf16>>, !plan.view<tensor<8x2x2x8x2xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()

// OTHERS: plan.launch "between" problem "pointwise c8 in16 out16 +relu : bf16" schedule "threads block=128 vector=1" reads(%from) shapes() writes(%to) { ^bb0(%a: tensor<1x8x8x8xbf16>): plan.yield %a : tensor<1x8x8x8xbf16> } : (!plan.view<tensor<1x8x8x8xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()
// It reads what the phases read, which they leave as it is.
// SAME: plan.launch "between" problem "pointwise c8 in16 out16 +relu : bf16" schedule "threads block=128 vector=1" reads(%source) shapes() writes(%to) { ^bb0(%a: tensor<1x8x8x8xbf16>): plan.yield %a : tensor<1x8x8x8xbf16> } : (!plan.view<tensor<1x8x8x8xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()
// READS: plan.launch "between" problem "pointwise c8 in16 out16 +relu : bf16" schedule "threads block=128 vector=1" reads(%y0) shapes() writes(%to) { ^bb0(%a: tensor<1x8x8x8xbf16>): plan.yield %a : tensor<1x8x8x8xbf16> } : (!plan.view<tensor<1x8x8x8xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()
// SOURCE: plan.launch "between" problem "pointwise c8 in16 out16 +relu : bf16" schedule "threads block=128 vector=1" reads(%from) shapes() writes(%source) { ^bb0(%a: tensor<1x8x8x8xbf16>): plan.yield %a : tensor<1x8x8x8xbf16> } : (!plan.view<tensor<1x8x8x8xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()
// RESULT: plan.launch "between" problem "pointwise c8 in16 out16 +relu : bf16" schedule "threads block=128 vector=1" reads(%from) shapes() writes(%y0) { ^bb0(%a: tensor<1x8x8x8xbf16>): plan.yield %a : tensor<1x8x8x8xbf16> } : (!plan.view<tensor<1x8x8x8xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()
// A vector of the weights file has no buffer: who else reads it is not looked for.
// WEIGHT: plan.launch "between" problem "copy_vector : f32" schedule "threads block=128 vector=1" reads(%vector) shapes() writes(%statistic) { ^bb0(%a: tensor<8xf32>): plan.yield %a : tensor<8xf32> } : (!plan.view<tensor<8xf32>>, !plan.view<tensor<8xf32>>) -> ()
// BORDER: plan.border %x

  plan.launch "second" problem "conv c16 k8 r2x2 s1x1 d1x1 g1 in16 out16 : bf16" schedule "tensor_cores k=32 m=64 n=32 parts=1 stages=4 width=0 wm=32 wn=16" reads(%x1, %w1) shapes() writes(%y1) {
  ^bb0(%a: tensor<1x16x9x9xf32>, %b: tensor<8x2x2x8x2xbf16>):
    %w = hourglass.unpack %b {extents = array<i64: 8, 16, 2, 2>} : (tensor<8x2x2x8x2xbf16>) -> tensor<8x16x2x2xf32>
    %v = hourglass.conv %a, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x16x9x9xf32>, tensor<8x16x2x2xf32>) -> tensor<1x8x8x8xf32>
    plan.yield %v : tensor<1x8x8x8xf32>
  } : (!plan.view<tensor<1x16x9x9xbf16>>, !plan.view<tensor<8x2x2x8x2xbf16>>, !plan.view<tensor<1x8x8x8xbf16>>) -> ()
}
}

// RUN: segc-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(hg-split-deconv,hg-fuse-groups,hg-schedule),cse,hg-hoist-weights,plan-memory)' | FileCheck %s

// A concat is no step: its producers write their channels of one buffer, and its reader finds them there.
// CHECK-LABEL: module @slices
// CHECK: plan.program @run {{.*}}concats = 1 : i64, concats_elided = 1 : i64
// CHECK: %[[K:.*]] = plan.alloc "k" f32 {{.*}} channels 10 apron [1, 1, 1, 1]
// CHECK: %[[A:.*]] = plan.view %[[K]] channels 0 of 10 {{.*}} : <tensor<1x4x8x8xf32>>
// CHECK-NEXT: plan.launch "a" {{.*}} in3 out10 {{.*}} writes(%[[A]])
// CHECK: %[[B:.*]] = plan.view %[[K]] channels 4 of 10 {{.*}} : <tensor<1x6x8x8xf32>>
// CHECK-NEXT: plan.launch "b" {{.*}} writes(%[[B]])
// CHECK-NOT: plan.launch "copy
// CHECK: %[[R:.*]] = plan.view %[[K]] channels 0 of 10 {{.*}} : <tensor<1x10x10x10xf32>>
// CHECK: plan.launch "c" {{.*}} reads(%[[R]], 
module @slices {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x4x8x8xf32> {hourglass.name = "out"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x1x1xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<6x3x1x1xf32>
  %cw = hourglass.weight "c.weight" init "he" : tensor<4x10x3x3xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %b = hourglass.conv %x, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<6x3x1x1xf32>) -> tensor<1x6x8x8xf32> loc("b")
  %k = hourglass.concat %a, %b : (tensor<1x4x8x8xf32>, tensor<1x6x8x8xf32>) -> tensor<1x10x8x8xf32> loc("k")
  %c = hourglass.conv %k, %cw {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 1, 1, 1>} : (tensor<1x10x8x8xf32>, tensor<4x10x3x3xf32>) -> tensor<1x4x8x8xf32> loc("c")
  return %c : tensor<1x4x8x8xf32>
} loc("main")
}

// -----

// Two concats want one value: it is written into one of them and copied once into the other.
// CHECK-LABEL: module @shared
// CHECK: plan.program @run {{.*}}concats = 2 : i64, concats_elided = 1 : i64
// CHECK-DAG: %[[K:.*]] = plan.alloc "k" f32 {{.*}} channels 8
// CHECK-DAG: %[[L:.*]] = plan.alloc "l" f32 {{.*}} channels 7
// CHECK: %[[A:.*]] = plan.view %[[L]] channels 3 of 7
// CHECK-NEXT: plan.launch "a" {{.*}} writes(%[[A]])
// CHECK: %[[B:.*]] = plan.view %[[K]] channels 4 of 8
// CHECK-NEXT: plan.launch "b" {{.*}} writes(%[[B]])
// CHECK: %[[C:.*]] = plan.view %[[L]] channels 0 of 7
// CHECK-NEXT: plan.launch "c" {{.*}} writes(%[[C]])
// CHECK: %[[TO:.*]] = plan.view %[[K]] channels 0 of 8
// CHECK: %[[FROM:.*]] = plan.view %[[L]] channels 3 of 7
// CHECK-NEXT: plan.launch "copy into k" problem "pointwise c4 in7 out8 : f32" {{.*}} reads(%[[FROM]]) shapes() writes(%[[TO]])
// CHECK-NOT: plan.launch "copy
module @shared {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x8x8x8xf32> {hourglass.name = "left"}, tensor<1x7x8x8xf32> {hourglass.name = "right"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x1x1xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<4x3x1x1xf32>
  %cw = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %b = hourglass.conv %x, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("b")
  %c = hourglass.conv %x, %cw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32> loc("c")
  %k = hourglass.concat %a, %b : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x8x8x8xf32> loc("k")
  %l = hourglass.concat %c, %a : (tensor<1x3x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x7x8x8xf32> loc("l")
  return %k, %l : tensor<1x8x8x8xf32>, tensor<1x7x8x8xf32>
} loc("main")
}

// -----

// A deconvolution's phases are every other pixel of the concat's buffer, from (0, 0), (0, 1), (1, 0) and (1, 1) on.
// CHECK-LABEL: module @phases
// CHECK: plan.program @run sizes ["input 0 0 1", "const 3", "input 0 2 5", "input 0 3 6", "const 1", "const 16", "const 4", "const 0",
// CHECK-SAME: concats_elided = 1
// CHECK: %[[K:.*]] = plan.alloc "k" f32 {{.*}} channels 7
// CHECK: plan.view %[[K]] channels 3 of 7 extents [0, 2, 3] origin [7, 7] step [2, 2] : <tensor<1x4x5x6xf32>>
// CHECK-NEXT: plan.launch "d" problem {{.*}} out14 :
// CHECK: plan.view %[[K]] channels 3 of 7 extents [0, 2, 3] origin [7, 4] step [2, 2] : <tensor<1x4x5x6xf32>>
// CHECK: plan.view %[[K]] channels 3 of 7 extents [0, 2, 3] origin [4, 7] step [2, 2] : <tensor<1x4x5x6xf32>>
// CHECK: plan.view %[[K]] channels 3 of 7 extents [0, 2, 3] origin [4, 4] step [2, 2] : <tensor<1x4x5x6xf32>>
// CHECK: plan.view %[[K]] channels 0 of 7 {{.*}} step [2, 2] : <tensor<1x3x5x6xf32>>
// CHECK-NEXT: plan.launch "s"
// CHECK-NOT: plan.launch "copy
module @phases {
func.func @main(%x: tensor<1x3x5x6xf32> {hourglass.name = "image"}) -> (tensor<1x7x10x12xf32> {hourglass.name = "out"}) {
  %dw = hourglass.weight "d.weight" init "he" : tensor<3x4x2x2xf32>
  %sw = hourglass.weight "s.weight" init "he" : tensor<3x3x2x2xf32>
  %d = hourglass.deconv %x, %dw {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x3x5x6xf32>, tensor<3x4x2x2xf32>) -> tensor<1x4x10x12xf32> loc("d")
  %s = hourglass.deconv %x, %sw {operandSegmentSizes = array<i32: 1, 1, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x3x5x6xf32>, tensor<3x3x2x2xf32>) -> tensor<1x3x10x12xf32> loc("s")
  %k = hourglass.concat %s, %d : (tensor<1x3x10x12xf32>, tensor<1x4x10x12xf32>) -> tensor<1x7x10x12xf32> loc("k")
  return %k : tensor<1x7x10x12xf32>
} loc("main")
}

// -----

// A concat in a concat: everything lands in the outer one's buffer.
// CHECK-LABEL: module @nested
// CHECK: plan.program @run {{.*}}concats = 2 : i64, concats_elided = 2 : i64
// CHECK: %[[L:.*]] = plan.alloc "l" f32 {{.*}} channels 9
// CHECK-NOT: plan.alloc "k"
// CHECK: %[[A:.*]] = plan.view %[[L]] channels 3 of 9 {{.*}} : <tensor<1x4x8x8xf32>>
// CHECK-NEXT: plan.launch "a" {{.*}} writes(%[[A]])
// CHECK: %[[B:.*]] = plan.view %[[L]] channels 7 of 9 {{.*}} : <tensor<1x2x8x8xf32>>
// CHECK-NEXT: plan.launch "b" {{.*}} writes(%[[B]])
// CHECK: %[[C:.*]] = plan.view %[[L]] channels 0 of 9 {{.*}} : <tensor<1x3x8x8xf32>>
// CHECK-NEXT: plan.launch "c" {{.*}} writes(%[[C]])
// CHECK-NOT: plan.launch "copy
module @nested {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x9x8x8xf32> {hourglass.name = "out"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x1x1xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<2x3x1x1xf32>
  %cw = hourglass.weight "c.weight" init "he" : tensor<3x3x1x1xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %b = hourglass.conv %x, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<2x3x1x1xf32>) -> tensor<1x2x8x8xf32> loc("b")
  %c = hourglass.conv %x, %cw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32> loc("c")
  %k = hourglass.concat %a, %b : (tensor<1x4x8x8xf32>, tensor<1x2x8x8xf32>) -> tensor<1x6x8x8xf32> loc("k")
  %l = hourglass.concat %c, %k : (tensor<1x3x8x8xf32>, tensor<1x6x8x8xf32>) -> tensor<1x9x8x8xf32> loc("l")
  return %l : tensor<1x9x8x8xf32>
} loc("main")
}

// -----

// A crop in front of a concat is the one copy: from its window straight into its channels.
// CHECK-LABEL: module @cropped
// CHECK: plan.program @run sizes [{{.*}}] {{.*}}concats_elided = 1
// CHECK: %[[K:.*]] = plan.alloc "k" f32 {{.*}} channels 8
// CHECK: %[[FROM:.*]] = plan.view %{{.*}} channels 0 of 4 {{.*}} : <tensor<1x4x6x6xf32>>
// CHECK-NEXT: %[[TO:.*]] = plan.view %[[K]] channels 0 of 8 {{.*}} : <tensor<1x4x6x6xf32>>
// CHECK-NEXT: plan.launch "c" problem "pointwise c4 in4 out8 : f32" {{.*}} reads(%[[FROM]]) shapes() writes(%[[TO]])
// CHECK-NOT: plan.launch "copy
module @cropped {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x8x6x6xf32> {hourglass.name = "out"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x1x1xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<4x4x3x3xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %b = hourglass.conv %a, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x6x6xf32> loc("b")
  %c = hourglass.crop %a {offset = array<i64: 1, 1>, size = array<i64: 6, 6>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> loc("c")
  %k = hourglass.concat %c, %b : (tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>) -> tensor<1x8x6x6xf32> loc("k")
  return %k : tensor<1x8x6x6xf32>
} loc("main")
}

// -----

// The input's apron is the greatest need of its readers on each side: top 1, left 2, bottom 3, right 2. Zeros go there before
// the first write; buffers without an apron need none.
// CHECK-LABEL: module @aprons
// CHECK: %[[X:.*]] = plan.alloc {{.*}} channels 3 apron [1, 2, 3, 2]
// CHECK-COUNT-3: apron [0, 0, 0, 0]
// CHECK: plan.border %[[X]]
// CHECK: %[[W:.*]] = plan.view %[[X]]
// CHECK: plan.launch "import image" {{.*}} writes(%[[W]])
// CHECK-NOT: plan.border
// CHECK: plan.view %[[X]] {{.*}} : <tensor<1x3x12x10xf32>>
// CHECK: plan.launch "b"
// CHECK: plan.view %[[X]] {{.*}} : <tensor<1x3x10x12xf32>>
// CHECK: plan.launch "a+s"
module @aprons {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x4x8x8xf32> {hourglass.name = "out"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x3x5xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<4x3x3x3xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 2, 1, 2>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x5xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %b = hourglass.conv %x, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 0, 3, 2>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x10x8xf32> loc("b")
  %c = hourglass.crop %b {offset = array<i64: 2, 0>, size = array<i64: 8, 8>} : (tensor<1x4x10x8xf32>) -> tensor<1x4x8x8xf32> loc("c")
  %s = hourglass.add %a, %c : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> loc("s")
  return %s : tensor<1x4x8x8xf32>
} loc("main")
}

// -----

// Free extents: the odd pixel of `same` is at the bottom and right; what the extents must fulfil is kept as checks, and no
// extent is made up that nobody knows.
// CHECK-LABEL: module @same
// CHECK: plan.program @run sizes ["input 0 0 1", "const 3", "input 0 2 0", "input 0 3 0"
// CHECK: plan.alloc "image" f32 {{.*}} channels 3 apron [1, 1, 1, 2] : !plan.buffer
// CHECK: plan.input 0 "image" {{.*}} : <tensor<1x3x?x?xf32>>
// CHECK: plan.view %{{.*}} : <tensor<1x3x?x?xf32>>
// CHECK: plan.view %{{.*}} : <tensor<1x3x?x?xf32>>
// CHECK: plan.view %{{.*}} : <tensor<1x4x?x?xf32>>
// CHECK: plan.launch "a"
module @same {
func.func @main(%x: tensor<1x3x?x?xf32> {hourglass.name = "image"} loc("image")) -> (tensor<1x4x?x?xf32> {hourglass.name = "out"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x3x4xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>, same, stride = array<i64: 2, 1>} : (tensor<1x3x?x?xf32>, tensor<4x3x3x4xf32>) -> tensor<1x4x?x?xf32> loc("a")
  return %a : tensor<1x4x?x?xf32>
} loc("main")
}

// -----

// What free extents must fulfil is checked when the caller gives them.
// CHECK-LABEL: module @least
// CHECK: plan.program @run sizes ["input 0 0 1", "const 3", "input 0 2 0", "input 0 3 0", {{.*}}"const -4", "add 2 9", "const -2", "add 3 11"
// CHECK-SAME: checks = ["least 10 1: a: the kernel spans 5 pixels, more than the padded height
// CHECK-SAME: "least 12 1: a: the kernel spans 3 pixels, more than the padded width
// CHECK-SAME: "equal 10 2: k: operands differ in height
// CHECK-SAME: "equal 12 3: k: operands differ in width
module @least {
func.func @main(%x: tensor<1x3x?x?xf32> {hourglass.name = "image"}) -> (tensor<1x7x?x?xf32> {hourglass.name = "out"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x5x3xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x?x?xf32>, tensor<4x3x5x3xf32>) -> tensor<1x4x?x?xf32> loc("a")
  %p, %i = hourglass.maxpool %x {kernel = array<i64: 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x3x?x?xf32>) -> (tensor<1x3x?x?xf32>, tensor<1x3x?x?xi8>) loc("p")
  %k = hourglass.concat %a, %p : (tensor<1x4x?x?xf32>, tensor<1x3x?x?xf32>) -> tensor<1x7x?x?xf32> loc("k")
  return %k : tensor<1x7x?x?xf32>
} loc("main")
}

// -----

// A pointwise kernel writes over its operand if that is read for the last time.
// CHECK-LABEL: module @inPlace
// CHECK: %[[A:.*]] = plan.alloc "a"
// CHECK-NOT: plan.alloc "r"
// CHECK: plan.launch "b"
// CHECK: %[[FROM:.*]] = plan.view %[[A]]
// CHECK-NEXT: %[[TO:.*]] = plan.view %[[A]]
// CHECK-NEXT: plan.launch "r" {{.*}} reads(%[[FROM]]) shapes() writes(%[[TO]])
module @inPlace {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x4x8x8xf32> {hourglass.name = "left"}, tensor<1x5x8x8xf32> {hourglass.name = "right"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x1x1xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<5x4x1x1xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %b = hourglass.conv %a, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<5x4x1x1xf32>) -> tensor<1x5x8x8xf32> loc("b")
  %r = hourglass.activation %a {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> loc("r")
  return %r, %b : tensor<1x4x8x8xf32>, tensor<1x5x8x8xf32>
} loc("main")
}

// -----

// Somebody reads the operand later: the result gets a buffer of its own.
// CHECK-LABEL: module @notInPlace
// CHECK: %[[A:.*]] = plan.alloc "a"
// CHECK: %[[R:.*]] = plan.alloc "r"
// CHECK: plan.launch "a"
// CHECK: %[[FROM:.*]] = plan.view %[[A]]
// CHECK-NEXT: %[[TO:.*]] = plan.view %[[R]]
// CHECK-NEXT: plan.launch "r" {{.*}} reads(%[[FROM]]) shapes() writes(%[[TO]])
// CHECK: plan.launch "b"
module @notInPlace {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x4x8x8xf32> {hourglass.name = "left"}, tensor<1x5x8x8xf32> {hourglass.name = "right"}) {
  %aw = hourglass.weight "a.weight" init "he" : tensor<4x3x1x1xf32>
  %bw = hourglass.weight "b.weight" init "he" : tensor<5x4x1x1xf32>
  %a = hourglass.conv %x, %aw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32> loc("a")
  %r = hourglass.activation %a {function = "relu"} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> loc("r")
  %b = hourglass.conv %a, %bw {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<5x4x1x1xf32>) -> tensor<1x5x8x8xf32> loc("b")
  return %r, %b : tensor<1x4x8x8xf32>, tensor<1x5x8x8xf32>
} loc("main")
}

// -----

// The second op of a pointwise chain reads what the first gave and a tensor from outside, in either order.
// CHECK-LABEL: module @chain
// CHECK: plan.launch "r+s" problem "pointwise c3 in3 out3 +relu +add(3) : f32"
module @chain {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x3x8x8xf32> {hourglass.name = "out"}) {
  %r = hourglass.activation %x {function = "relu"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> loc("r")
  %s = hourglass.add %x, %r : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> loc("s")
  return %s : tensor<1x3x8x8xf32>
} loc("main")
}

// -----

// A pool's index is one byte; unpooling reads it and asks the pool's operand for nothing but its extents.
// CHECK-LABEL: module @pooled
// CHECK: plan.alloc "p" f32 {{.*}} channels 3
// CHECK: %[[I:.*]] = plan.alloc "p" i8 {{.*}} channels 3
// CHECK: %[[IN:.*]] = plan.view {{.*}} bounded : <tensor<1x3x8x8xf32>>
// CHECK: %[[W:.*]] = plan.view %[[I]] {{.*}} : <tensor<1x3x4x4xi8>>
// CHECK-NEXT: plan.launch "p" problem "maxpool c3 r2x2 s2x2 d1x1 in3 out3 idx3 : f32" {{.*}} reads(%[[IN]]) shapes() writes(%{{.*}}, %[[W]])
// CHECK: %[[R:.*]] = plan.view %[[I]]
// CHECK: plan.launch "u" {{.*}} reads(%{{.*}}, %[[R]]) shapes(%{{.*}}) writes(
module @pooled {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x3x8x8xf32> {hourglass.name = "out"}) {
  %p, %i = hourglass.maxpool %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>) -> (tensor<1x3x4x4xf32>, tensor<1x3x4x4xi8>) loc("p")
  %u = hourglass.unpool %p, %i, %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x3x4x4xf32>, tensor<1x3x4x4xi8>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> loc("u")
  return %u : tensor<1x3x8x8xf32>
} loc("main")
}

// -----

// The input is converted on its way in; an argmax goes straight to the caller's memory, no export follows.
// CHECK-LABEL: module @classes
// CHECK: plan.input 0 "image" {{.*}} : <tensor<1x3x8x8xui8>>
// CHECK: plan.launch "import image" problem "import c3 out3 from=u8 : f32"
// CHECK: %[[OUT:.*]] = plan.output 0 "classes" {{.*}} : <tensor<1x8x8xi32>>
// CHECK: plan.launch "c" problem "argmax c3 in3 out1 : f32" {{.*}} writes(%[[OUT]])
// CHECK-NOT: plan.launch "export
module @classes {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.dtype = ui8, hourglass.name = "image"}) -> (tensor<1x8x8xi32> {hourglass.name = "classes"}) {
  %c = hourglass.argmax %x : (tensor<1x3x8x8xf32>) -> tensor<1x8x8xi32> loc("c")
  return %c : tensor<1x8x8xi32>
} loc("main")
}

// -----

// So do the classes of a convolution, which have no axis of channels: the pixels that it reads are of their last two.
// CHECK-LABEL: module @scored
// CHECK: plan.program @run sizes [{{.*}}"input 0 2 8", "input 0 3 12", "const 1", {{.*}}"const -1", "add 2 8", "add 4 9", "add 3 8", "add 4 11"]
// CHECK: %[[OUT:.*]] = plan.output 0 "classes" {{.*}} : <tensor<1x8x12xi32>>
// CHECK: plan.view {{.*}} extents [0, 10, 12] {{.*}} : <tensor<1x3x8x12xf32>>
// CHECK: plan.launch "b+c" problem "conv c3 k5 r1x1 s1x1 d1x1 g1 in3 out1 +argmax : f32" {{.*}} writes(%[[OUT]])
module @scored {
func.func @main(%x: tensor<1x3x8x12xf32> {hourglass.dtype = ui8, hourglass.name = "image"}) -> (tensor<1x8x12xi32> {hourglass.name = "classes"}) {
  %w = hourglass.weight "b.weight" init "he" : tensor<5x3x1x1xf32>
  %b = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x12xf32>, tensor<5x3x1x1xf32>) -> tensor<1x5x8x12xf32> loc("b")
  %c = hourglass.argmax %b : (tensor<1x5x8x12xf32>) -> tensor<1x8x12xi32> loc("c")
  return %c : tensor<1x8x12xi32>
} loc("main")
}

// -----

// So does a last resizing; one that is read as well does not.
// CHECK-LABEL: module @resized
// CHECK-NOT: plan.alloc "last"
// CHECK: plan.launch "read" problem "upsample c3 in3 out3 mode=bilinear align0 : f32"
// CHECK: %[[OUT:.*]] = plan.output 0 "scores" {{.*}} : <tensor<1x3x32x32xf32>>
// CHECK: plan.launch "last" problem "export_upsample c3 in3 mode=bilinear align0 : f32" schedule "planes {{.*}} writes(%[[OUT]])
// CHECK-NOT: plan.launch "export scores
// CHECK: plan.launch "export read"
module @resized {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x3x32x32xf32> {hourglass.name = "scores"}, tensor<1x3x16x16xf32> {hourglass.name = "read"}) {
  %r = hourglass.upsample %x {mode = "bilinear", size = array<i64: 16, 16>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x16x16xf32> loc("read")
  %l = hourglass.upsample %r {mode = "bilinear", size = array<i64: 32, 32>} : (tensor<1x3x16x16xf32>) -> tensor<1x3x32x32xf32> loc("last")
  return %l, %r : tensor<1x3x32x32xf32>, tensor<1x3x16x16xf32>
} loc("main")
}

// -----

// Layers that share weights share the packed weights.
// CHECK-LABEL: module @slots
// CHECK: plan.program @prepare
// CHECK-COUNT-1: plan.launch
// CHECK: plan.program @run
// CHECK: plan.prepared 0
// CHECK: plan.launch "a"
// CHECK: plan.prepared 0
// CHECK: plan.launch "b"
// CHECK: plan.output 0 "out"
// CHECK: plan.launch "export out" problem "export c3 in3 to=f32 : f32"
module @slots {
func.func @main(%x: tensor<1x3x8x8xf32> {hourglass.name = "image"}) -> (tensor<1x3x8x8xf32> {hourglass.name = "out"}) {
  %w = hourglass.weight "a.weight" init "he" : tensor<3x3x1x1xf32>
  %a = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32> loc("a")
  %b = hourglass.conv %a, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x8x8xf32> loc("b")
  return %b : tensor<1x3x8x8xf32>
} loc("main")
}

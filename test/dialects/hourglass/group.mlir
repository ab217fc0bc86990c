// RUN: segc-opt %s | segc-opt | FileCheck %s

// A group's results have the shapes its body gives, free extents included.
// CHECK-LABEL: func @pool
// CHECK: %[[P:.*]]:2 = hourglass.group(%{{.*}}) {
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<1x4x?x9xf32>):
// CHECK-NEXT: hourglass.maxpool %[[A]]
// CHECK-NEXT: hourglass.yield %{{.*}}, %{{.*}} : tensor<1x4x?x4xf32>, tensor<1x4x?x4xi8>
// CHECK-NEXT: } : (tensor<1x4x?x9xf32>) -> (tensor<1x4x?x4xf32>, tensor<1x4x?x4xi8>)
// CHECK: return %[[P]]#0
func.func @pool(%x: tensor<1x4x?x9xf32>) -> tensor<1x4x?x4xf32> {
  %p:2 = hourglass.group(%x) {
  ^bb0(%a: tensor<1x4x?x9xf32>):
    %v, %i = hourglass.maxpool %a {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x4x?x9xf32>) -> (tensor<1x4x?x4xf32>, tensor<1x4x?x4xi8>)
    hourglass.yield %v, %i : tensor<1x4x?x4xf32>, tensor<1x4x?x4xi8>
  } : (tensor<1x4x?x9xf32>) -> (tensor<1x4x?x4xf32>, tensor<1x4x?x4xi8>)
  return %p#0 : tensor<1x4x?x4xf32>
}

// CHECK-LABEL: func @scheduled
// CHECK: hourglass.group(%{{.*}}) attributes {schedule = "rows"}
func.func @scheduled(%x: tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32> {
  %y = hourglass.group(%x) attributes {schedule = "rows"} {
  ^bb0(%a: tensor<1x4x8x9xf32>):
    %r = hourglass.activation %a {function = "relu"} : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
    hourglass.yield %r : tensor<1x4x8x9xf32>
  } : (tensor<1x4x8x9xf32>) -> tensor<1x4x8x9xf32>
  return %y : tensor<1x4x8x9xf32>
}

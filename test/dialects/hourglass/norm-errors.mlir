// RUN: segc-opt %s -split-input-file -verify-diagnostics

func.func @groups(%x: tensor<1x6x4x5xf32>) {
  // expected-error @+1 {{groups (4) must divide the channels (6)}}
  %a = hourglass.group_norm %x {groups = 4 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (tensor<1x6x4x5xf32>) -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @noGroups(%x: tensor<1x6x4x5xf32>) {
  // expected-error @+1 {{groups must be positive}}
  %a = hourglass.group_norm %x {groups = 0 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (tensor<1x6x4x5xf32>) -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @eps(%x: tensor<1x6x4x5xf32>) {
  // expected-error @+1 {{eps must be positive}}
  %a = hourglass.group_norm %x {groups = 2 : i64, eps = 0.0 : f64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (tensor<1x6x4x5xf32>) -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @vector(%x: tensor<1x6x4x5xf32>, %g: tensor<5xf32>) {
  // expected-error @+1 {{each vector must have one value per channel (6)}}
  %a = hourglass.group_norm %x, %g {groups = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (tensor<1x6x4x5xf32>, tensor<5xf32>) -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @rank(%x: tensor<6x4xf32>) {
  // expected-error @+1 {{needs a rank-4 operand}}
  %a = hourglass.group_norm %x {groups = 2 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (tensor<6x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @half(%x: tensor<1x6x4x5xf32>, %s: tensor<1x6x1x1xf32>) {
  // expected-error @+1 {{scale and shift go together}}
  %a = hourglass.group_norm %x, %s {groups = 2 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0>} : (tensor<1x6x4x5xf32>, tensor<1x6x1x1xf32>) -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @statistics(%x: tensor<2x6x4x5xf32>, %s: tensor<1x6x1x1xf32>) {
  // expected-error @+1 {{statistics must be [N, C, 1, 1] (1 and 2)}}
  %a = hourglass.group_norm %x, %s, %s {groups = 2 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>} : (tensor<2x6x4x5xf32>, tensor<1x6x1x1xf32>, tensor<1x6x1x1xf32>) -> tensor<2x6x4x5xf32>
  return
}

// -----

func.func @sums(%s: tensor<1x6x4x1xf64>) {
  // expected-error @+1 {{needs sums of 3 columns}}
  %a, %b, %c, %d = hourglass.finish_group_stats %s {groups = 2 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<1x6x4x1xf64>) -> (tensor<1x6x1x1xf32>, tensor<1x6x1x1xf32>, tensor<1x6x1x1xf32>, tensor<1x6x1x1xf32>)
  return
}

// -----

func.func @gradient(%s: tensor<1x6x4x3xf64>, %m: tensor<1x6x1x2xf32>) {
  // expected-error @+1 {{statistics must be [N, C, 1, 1] (2 and 1)}}
  %dg, %db, %a, %b, %c = hourglass.finish_group_norm_grad %s, %m, %m {groups = 2 : i64} : (tensor<1x6x4x3xf64>, tensor<1x6x1x2xf32>, tensor<1x6x1x2xf32>) -> (tensor<6xf32>, tensor<6xf32>, tensor<1x6x1x1xf32>, tensor<1x6x1x1xf32>, tensor<1x6x1x1xf32>)
  return
}

// RUN: not segc-opt %s --pass-pipeline='builtin.module(verify-phase{phase=folded})' 2>&1 | FileCheck %s --check-prefix=FOLDED
// RUN: not segc-opt %s --pass-pipeline='builtin.module(verify-phase{phase=grouped})' 2>&1 | FileCheck %s --check-prefix=GROUPED
// RUN: not segc-opt %s --pass-pipeline='builtin.module(verify-phase{phase=planned})' 2>&1 | FileCheck %s --check-prefix=PLANNED
// RUN: not segc-opt %s --pass-pipeline='builtin.module(verify-phase{phase=later})' 2>&1 | FileCheck %s --check-prefix=LATER

// FOLDED: error: 'hourglass.dropout' op must be gone after folding
// GROUPED: error: 'hourglass.dropout' op must be in a group
// PLANNED: error: 'func.func' op must be gone after planning
// LATER: error: unknown phase 'later': folded, grouped, scheduled or planned
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> {
  %d = hourglass.dropout %x {rate = 0.5} : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return %d : tensor<1x3x8x8xf32>
}

// RUN: segc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(plan-merge-phases{isa=sparc})'

// expected-error @+1 {{unknown instruction set 'sparc'}}
module {
plan.program @run sizes [] {
}
}

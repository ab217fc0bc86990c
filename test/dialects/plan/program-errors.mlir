// RUN: segc-opt %s -split-input-file -verify-diagnostics

// 1 x 8 x 8 x 4 floats are 1024 bytes: b begins in the last of them while a is still to be read.
plan.program @overlap sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 0 : !plan.buffer
  // expected-error @+1 {{overlaps buffer a while both are alive}}
  %b = plan.alloc "b" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 1023 : !plan.buffer
  plan.border %a
  plan.border %b
  plan.border %a
}

// -----

// The same bytes one after the other are what the arena is for.
plan.program @reused sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 0 : !plan.buffer
  %b = plan.alloc "b" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 1023 : !plan.buffer
  plan.border %a
  plan.border %b
}

// -----

// An apron of one pixel makes it 1600 bytes.
plan.program @apronCounts sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [1, 1, 1, 1] offset 0 : !plan.buffer
  // expected-error @+1 {{overlaps buffer a while both are alive}}
  %b = plan.alloc "b" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 1599 : !plan.buffer
  plan.border %a
  plan.border %b
  plan.border %a
}

// -----

// What a launch reads and writes lives at the same time.
plan.program @launch sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 0 : !plan.buffer
  // expected-error @+1 {{overlaps buffer a while both are alive}}
  %b = plan.alloc "b" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] offset 0 : !plan.buffer
  %va = plan.view %a channels 0 of 4 extents [0, 1, 1] origin [2, 2] step [1, 1] : <tensor<1x4x8x8xf32>>
  %vb = plan.view %b channels 0 of 4 extents [0, 1, 1] origin [2, 2] step [1, 1] : <tensor<1x4x8x8xf32>>
  plan.launch "c" @k problem "p" schedule "s" reads(%va) shapes() writes(%vb) {
  } : (!plan.view<tensor<1x4x8x8xf32>>, !plan.view<tensor<1x4x8x8xf32>>) -> ()
}

// -----

// One row above the buffer is the apron, two are somebody else's bytes.
plan.program @above sizes ["const 1", "const 8", "const -2", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [1, 1, 1, 1] : !plan.buffer
  // expected-error @+1 {{pixels -2 to 5 of axis y leave the buffer's 8 and its apron}}
  %v = plan.view %a channels 0 of 4 extents [0, 1, 1] origin [2, 3] step [1, 1] : <tensor<1x4x8x8xf32>>
}

// -----

plan.program @right sizes ["const 1", "const 8", "const 2", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [1, 1, 1, 1] : !plan.buffer
  // expected-error @+1 {{pixels 2 to 9 of axis x leave the buffer's 8 and its apron}}
  %v = plan.view %a channels 0 of 4 extents [0, 1, 1] origin [3, 2] step [1, 1] : <tensor<1x4x8x8xf32>>
}

// -----

// Every other pixel of eight from 0 on spans 15; a bounded view starts at 0 whatever its origin says.
plan.program @step sizes ["const 1", "const 8", "const -5", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [1, 1, 1, 1] : !plan.buffer
  %b = plan.view %a channels 0 of 4 extents [0, 1, 1] origin [2, 2] step [1, 1] bounded : <tensor<1x4x8x8xf32>>
  // expected-error @+1 {{pixels 0 to 14 of axis x leave the buffer's 8 and its apron}}
  %v = plan.view %a channels 0 of 4 extents [0, 1, 1] origin [3, 3] step [1, 2] : <tensor<1x4x8x8xf32>>
}

// -----

plan.program @channels sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // expected-error @+1 {{channels 2 to 6 leave the buffer's 4}}
  %v = plan.view %a channels 2 of 4 extents [0, 1, 1] origin [2, 2] step [1, 1] : <tensor<1x4x8x8xf32>>
}

// -----

plan.program @of sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // expected-error @+1 {{channels 0 to 4 leave the buffer's 4}}
  %v = plan.view %a channels 0 of 8 extents [0, 1, 1] origin [2, 2] step [1, 1] : <tensor<1x4x8x8xf32>>
}

// -----

plan.program @element sizes ["const 1", "const 8", "const 0"] {
  %a = plan.alloc "a" ui8 extents [0, 1, 1] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // expected-error @+1 {{shows 'f32' in a buffer of 'ui8'}}
  %v = plan.view %a channels 0 of 4 extents [0, 1, 1] origin [2, 2] step [1, 1] : <tensor<1x4x8x8xf32>>
}

// -----

// expected-error @+1 {{sizes are malformed}}
plan.program @kind sizes ["pow 1 2"] {
}

// -----

// expected-error @+1 {{sizes are malformed}}
plan.program @numbers sizes ["const 1", "add 0"] {
}

// -----

// expected-error @+1 {{sizes are malformed}}
plan.program @noNumber sizes ["const one"] {
}

// -----

// Expressions are built bottom up: no cycle can be written.
// expected-error @+1 {{sizes are malformed}}
plan.program @later sizes ["const 1", "add 0 1"] {
}

// -----

// expected-error @+1 {{sizes are malformed}}
plan.program @divide sizes ["const 1", "div 0 0"] {
}

// -----

// expected-error @+1 {{sizes are malformed}}
plan.program @axis sizes ["input 0 4 8"] {
}

// -----

// expected-error @+1 {{checks are malformed}}
plan.program @checks sizes ["const 1"] attributes {checks = ["most 0 1: too large"]} {
}

// -----

plan.program @allocSize sizes ["const 1"] {
  // expected-error @+1 {{refers to a size that does not exist}}
  %a = plan.alloc "a" f32 extents [0, 1, 0] channels 4 apron [0, 0, 0, 0] : !plan.buffer
}

// -----

plan.program @viewSize sizes ["const 1"] {
  %a = plan.alloc "a" f32 extents [0, 0, 0] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // expected-error @+1 {{refers to a size that does not exist}}
  %v = plan.view %a channels 0 of 4 extents [0, 0, 0] origin [0, 3] step [1, 1] : <tensor<1x4x1x1xf32>>
}

// -----

plan.program @noChannels sizes ["const 1"] {
  // expected-error @+1 {{needs three extents, four apron widths and positive channels}}
  %a = plan.alloc "a" f32 extents [0, 0, 0] channels 0 apron [0, 0, 0, 0] : !plan.buffer
}

// -----

plan.program @negativeApron sizes ["const 1"] {
  // expected-error @+1 {{apron must not be negative}}
  %a = plan.alloc "a" f32 extents [0, 0, 0] channels 4 apron [0, -1, 0, 0] : !plan.buffer
}

// -----

plan.program @viewRanks sizes ["const 1", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 0, 0] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // expected-error @+1 {{needs three extents, two origins and two steps}}
  %v = plan.view %a channels 0 of 4 extents [0, 0] origin [1, 1] step [1, 1] : <tensor<1x4x1x1xf32>>
}

// -----

plan.program @viewPhases sizes ["const 1", "const 0"] {
  %a = plan.alloc "a" f32 extents [0, 0, 0] channels 4 apron [0, 0, 0, 0] : !plan.buffer
  // expected-error @+1 {{needs a number of phases for rows and for columns, and no bounds}}
  %v = plan.view %a channels 0 of 4 extents [0, 0, 0] origin [1, 1] step [1, 1] phases [0, 2] : <tensor<1x4x1x1xf32>>
}

// -----

plan.program @neither sizes [] {
  %p = plan.prepared 0 : <tensor<64xf32>>
  // expected-error @+1 {{needs either a body or a kernel}}
  plan.launch "n" problem "p" schedule "s" reads() shapes() writes(%p) {
  } : (!plan.view<tensor<64xf32>>) -> ()
}

// -----

plan.program @arguments sizes [] {
  %p = plan.prepared 0 : <tensor<64xf32>>
  // expected-error @+1 {{body takes 0 values, reads and shapes are 1}}
  plan.launch "n" problem "p" schedule "s" reads(%p) shapes() writes() {
  ^bb0:
    plan.yield
  } : (!plan.view<tensor<64xf32>>) -> ()
}

// -----

plan.program @yields sizes [] {
  %p = plan.prepared 0 : <tensor<64xf32>>
  // expected-error @+1 {{body must yield one value per view it writes}}
  plan.launch "n" problem "p" schedule "s" reads() shapes() writes(%p) {
  ^bb0:
    plan.yield
  } : (!plan.view<tensor<64xf32>>) -> ()
}

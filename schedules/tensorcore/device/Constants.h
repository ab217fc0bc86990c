/// \file What a specialisation fixes: constants without a value here, given by Specialise.cpp before
/// optimising.
// SPDX-License-Identifier: MIT
#pragma once

#define SEGC_CONSTANTS(X)                                                                                    \
  X(element)    /* 0 bf16, 1 f16, 2 tf32 (f32 in memory) */                                                  \
  X(result_f32) /* 1: the result is f32, else it has the element's type */                                   \
  X(c0)                                                                                                      \
  X(c1)                                                                                                      \
  X(k) /* channels of the two inputs and of the result */                                                    \
  X(rh)                                                                                                      \
  X(rw) X(sy) X(sx) X(dy) X(dx)     /* taps, strides, dilations */                                           \
      X(images) X(height) X(width)  /* of the result; 0: known at run time */                                \
      X(in_height) X(in_width)      /* 0: known at run time */                                               \
      X(tile_m) X(tile_n) X(tile_k) /* of a block, in elements */                                            \
      X(warp_m) X(warp_n) X(stages)                                                                          \
          X(parts) /* tile of a warp, buffers of the pipeline, parts of the reduction */                     \
      X(tile_w)    /* width of a block's rectangle of pixels; 0: a run of pixels */                          \
      X(pool) X(index) /* 1: a 2x2 max-pool is written too; its index too */ X(                              \
          phases) /* convolutions of one launch */                                                           \
      X(scaled)   /* packing: times a vector over k */

#define SEGC_DECLARE(name) extern "C" const int segc_##name;
SEGC_CONSTANTS(SEGC_DECLARE)
#undef SEGC_DECLARE

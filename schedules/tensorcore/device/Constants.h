/// \file What a specialisation fixes: constants that have no value here. Specialise.cpp gives each one before
/// it optimises, so that loops over them unroll and branches on them vanish.
// SPDX-License-Identifier: MIT
#pragma once

extern "C" {
extern const int segc_element;    ///< 0 bf16, 1 f16, 2 tf32 (f32 in memory)
extern const int segc_result_f32; ///< 1: the result is f32, else it has the element's type

extern const int segc_c0, segc_c1, segc_k; ///< channels of the two inputs and of the result
extern const int segc_rh, segc_rw;         ///< taps
extern const int segc_sy, segc_sx, segc_dy, segc_dx;
extern const int segc_images, segc_height, segc_width; ///< of the result; 0: known at run time
extern const int segc_in_height, segc_in_width;        ///< 0: known at run time

extern const int segc_tile_m, segc_tile_n, segc_tile_k; ///< of a block, in elements
extern const int segc_warp_m, segc_warp_n;              ///< of a warp, or of a warpgroup
extern const int segc_wgmma;                            ///< 1: warpgroups multiply (sm_90a)
extern const int segc_stages;                           ///< buffers of the pipeline
extern const int segc_parts;                            ///< of the reduction
extern const int segc_tile_w; ///< width of a block's rectangle of pixels; 0: a run of pixels

extern const int segc_pool, segc_index; ///< 1: a 2x2 max-pool is written; its index too
extern const int segc_keep;             ///< 1: the pixels are written, also where there is a pool
extern const int segc_phases;           ///< convolutions of one launch
extern const int segc_scaled;           ///< packing: 1: times a vector over k
}

/// \file What the template asks of a warp; warp.ll gives it as NVVM intrinsics, compiler/emulate on the CPU.
///
/// Shared memory is named by byte offsets. All traffic to memory goes through here, so that an emulated warp
/// sees it. Scalars and pointers only: both sides agree on how those are passed.
// SPDX-License-Identifier: MIT
#pragma once

#define SEGC_WARP extern "C" __attribute__((convergent))

SEGC_WARP int segc_warp_thread();
SEGC_WARP int segc_warp_block();
SEGC_WARP int segc_warp_phase();
SEGC_WARP int segc_warp_part();
SEGC_WARP void segc_warp_barrier();

/// acc (16x8, f32) += a (16 x 32 bytes) * b (32 bytes x 8): m16n8k16 of bf16 or f16, m16n8k8 of tf32.
SEGC_WARP void segc_warp_mma_bf16(float *acc, const unsigned *a, const unsigned *b);
SEGC_WARP void segc_warp_mma_f16(float *acc, const unsigned *a, const unsigned *b);
SEGC_WARP void segc_warp_mma_tf32(float *acc, const unsigned *a, const unsigned *b);
/// Four 8x8 matrices of 16-bit elements; lane i names row i % 8 of matrix i / 8.
SEGC_WARP void segc_warp_ldmatrix(unsigned *to, int shared);
SEGC_WARP void segc_warp_ldmatrix_trans(unsigned *to, int shared);
/// 16 bytes to shared memory, of which `bytes` (16 or 0) are read and the rest is 0.
SEGC_WARP void segc_warp_cp_async16(int shared, const void *from, int bytes);
SEGC_WARP void segc_warp_cp_async_commit();
/// Until at most `pending` of this thread's groups are under way.
SEGC_WARP void segc_warp_cp_async_wait(int pending);

/// Products of a warpgroup, 128 threads in a row (sm_90a). What the threads wrote to shared memory reaches
/// these after each writer's segc_warp_fence_async() and a barrier.
SEGC_WARP int segc_warp_shared_base(); ///< the address of byte 0
SEGC_WARP void segc_warp_fence_async();
/// acc (64 x n, f32) += a (64 x 32 bytes) * b (32 bytes x n), which lie in shared memory under descriptors:
/// bf16 (element 0) or f16 (1), with the reduction innermost, or transposed (1): a's rows, b's columns. It
/// runs on after the call: the accumulators belong to it until its group was waited for.
SEGC_WARP void segc_warp_wgmma(float *acc, unsigned long a, unsigned long b, int n, int element,
                               int transposeA, int transposeB);
/// Between other uses of the accumulators and products into them.
SEGC_WARP void segc_warp_wgmma_fence();
SEGC_WARP void segc_warp_wgmma_commit();
/// Until at most `pending` (0 or 1) groups of products are under way.
SEGC_WARP void segc_warp_wgmma_wait(int pending);

SEGC_WARP unsigned segc_warp_shuffle_xor(unsigned value, int mask);

SEGC_WARP void segc_warp_shared_store8(int shared, float a, float b);
SEGC_WARP void segc_warp_shared_load16(float *to, int shared);
SEGC_WARP unsigned segc_warp_shared_load4(int shared);
SEGC_WARP float segc_warp_load4(const void *from);
SEGC_WARP void segc_warp_load16(unsigned *to, const void *from);
SEGC_WARP void segc_warp_store16(void *to, const unsigned *from);
SEGC_WARP void segc_warp_store8(void *to, unsigned low, unsigned high);
SEGC_WARP void segc_warp_store4(void *to, float value);

/// To nearest, ties to even; `low` in the lower half.
SEGC_WARP unsigned segc_warp_pack_bf16(float low, float high);
SEGC_WARP unsigned segc_warp_pack_f16(float low, float high);
/// The lower half.
SEGC_WARP float segc_warp_unpack_f16(unsigned bits);
SEGC_WARP unsigned segc_warp_round_tf32(unsigned bits);
SEGC_WARP float segc_warp_exp2(float v);

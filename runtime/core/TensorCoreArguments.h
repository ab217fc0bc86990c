/// \file What a tensor-core kernel is launched with: one structure, passed by value, the same on host and
/// device.
// SPDX-License-Identifier: MIT
#pragma once

namespace segc::tensorcore {

/// A tensor N, H, W, C with its channels dense. Strides count octets: 8 neighbouring channels, whatever the
/// element. 0 repeats what is there.
struct View {
  char *data;
  int image, row, pixel;
};

/// Convolutions of equal shape that one launch computes: the phases of a deconvolution. Each has weights, an
/// origin and a place of the result of its own.
struct Phase {
  int weights;          ///< from Arguments::weights, in chunks of 16 bytes
  int y;                ///< from Arguments::y, in octets
  int originY, originX; ///< where in the input the first tap of result pixel (0, 0) lies: minus the padding
};

constexpr int maxVectors = 12, maxTensors = 4, maxPhases = 16;

/// Extents that the problem gives as constants are not read from here.
struct Arguments {
  View x[2];           ///< the input; a second one whose channels follow (a concat that is none)
  View y;              ///< the result, packed weights; for the weight gradient: the gradient of the result
  View pooled, index;  ///< what a fused 2x2 max-pool writes beside it; index: u8, position in the window
  const char *weights; ///< k, tap, c with c innermost, in the element type
  float *partial;  ///< sums of the parts of the reduction: part, phase, pixel, k (weight gradient: part, k,
                   ///< tap, c)
  float *gradient; ///< the weight gradient
  int gradientK, gradientTap, gradientC; ///< its strides in elements: any layout of the file's
  int images, height, width;             ///< of the result
  int inHeight, inWidth;                 ///< input pixels that exist; all others read as 0
  int parts;               ///< of the reduction, 1 to those that the tile has; a weight gradient: all of them
  Phase phases[maxPhases]; ///< one alone unless the problem says otherwise
  const float *from;       ///< packing: the weight of channels 0 and 0 and the first tap of the packed filter
  int fromK, fromC, fromTapY, fromTapX; ///< its strides in elements; negative ones flip
  const float *vectors[maxVectors];     ///< the epilogues' vectors in order, zeros up to a multiple of 64
  View tensors[maxTensors];             ///< the epilogues' tensors in order
};

} // namespace segc::tensorcore

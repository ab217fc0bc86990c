/// \file What a shape means for a model: the values of all sizes and the place of every buffer in the arena.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"
#include <stddef.h>

namespace segc::rt {

/// Plain memory; release with free(). Independent of threads, workspace and weights.
struct Layout {
  int64_t *sizes = nullptr;    ///< values of the table's size nodes; null while there is no shape
  uint64_t *offsets = nullptr; ///< bytes from the arena's start, for each buffer
  uint8_t *stands = nullptr;   ///< for each buffer: 1 if nothing overwrites its border between two runs
  uint64_t arenaBytes = 0;

  /// `shapes` as in segc_model_reshape, null for the model's own. A status of the C interface; on failure
  /// nothing is held.
  int compute(const Header &table, const int64_t *shapes);
  void free();
};

/// An activation buffer with numbers for its extents. Elements of one image: rows * rowElements.
struct BufferShape {
  int64_t n, h, w;
  int64_t rowElements; ///< (left + w + right) * channels
  int64_t rows;        ///< top + h + bottom
};
BufferShape shapeOf(const BufferDesc &buffer, const int64_t *sizes);

/// Bytes of arena and scratch for `threads` lanes; each part starts at a multiple of 64.
uint64_t workspaceBytes(const Header &table, const Layout &layout, int threads);

} // namespace segc::rt

/// \file The weights of a model: where they come from, whether they are the right ones, and their f32 values.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Error.h"
#include "runtime/core/ModelTable.h"
#include "runtime/core/Safetensors.h"

namespace segc::rt {

/// The value of a binary16 or bfloat16 number.
float fromHalf(uint16_t half);
float fromBFloat(uint16_t half);

/// A file mapped into memory, read only.
struct MappedFile {
  const void *data = nullptr;
  size_t bytes = 0;
  int open(const char *path); ///< a status of the C interface; the text names the path and the reason
  void close();
};

/// Lets go of the pages of a mapped file that hold these bytes: they are read anew if they are needed again.
void forgetPages(const void *data, uint64_t bytes);

/// Pointers to the values of all weights of a model, in the table's order, dense f32.
struct Weights {
  const void **data = nullptr; ///< null pointers after dropUnkept() for those not kept
  void **owned = nullptr;      ///< those that had to be copied: converted, misaligned, or kept
  uint32_t count = 0;
  bool mapped = false; ///< the file is a MappedFile, whose pages go once they are read

  /// Finds each weight in the file and compares shapes. All differences are collected into one text that
  /// lists both sides. Tensors of the file that the model does not use are mentioned in `note`. `keep[i]`
  /// asks for a copy of weight i that outlives the file. Frees itself on failure.
  int bind(const Header &table, Safetensors &file, const unsigned char *keep, TextBuffer &note);
  /// Frees what only @prepare needed; the file may go afterwards.
  void dropUnkept(const unsigned char *keep);
  void free();
};

} // namespace segc::rt

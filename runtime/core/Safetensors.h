/// \file Reads the header of a safetensors block: bounded, without recursion, nothing trusted.
// SPDX-License-Identifier: MIT
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace segc::rt {

constexpr uint64_t kMaxHeaderBytes = 100u << 20;
constexpr uint32_t kMaxTensors = 100000;
constexpr uint32_t kMaxFileRank = 8;

enum class FileType : uint8_t {
  F64,
  F32,
  F16,
  BF16,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  Bool,
  F8E4M3,
  F8E5M2
};
const char *nameOf(FileType type);

/// A tensor of the file. `data` points into the block, anywhere: it need not be aligned.
struct FileTensor {
  const char *name;
  FileType type;
  uint32_t rank;
  int64_t shape[kMaxFileRank];
  uint64_t begin, end; ///< bytes from the start of the data
  const unsigned char *data;
  bool used; ///< left to the reader's user; false
};

/// All tensors of a block, sorted by name. Refers to the block it was read from.
struct Safetensors {
  FileTensor *tensors = nullptr;
  uint32_t count = 0;
  char *names = nullptr;

  /// Checks everything: header length, JSON, names (distinct), types, shapes (products without overflow,
  /// equal to the bytes), offsets (one after another, covering all the data). Returns a status of the C
  /// interface; frees itself on failure.
  int read(const void *block, size_t bytes);
  void free();
  FileTensor *find(const char *name) const; ///< null if there is none
};

} // namespace segc::rt

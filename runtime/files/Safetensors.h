/// \file Safetensors: reading and writing tensor files for the tools.
///
/// Format: 8 bytes header length (little endian), a JSON header {name: {dtype, shape, data_offsets}}, the
/// data. A file is hostile until checked: limits on the header, offsets that tile the data exactly, sizes
/// that cannot overflow. https://github.com/huggingface/safetensors
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace segc::files {

enum class DType { F32, F16, BF16, I8, U8, I32, I64 };

/// Bytes of one element.
int64_t byteSize(DType dtype);
/// "F32", "BF16", ...
const char *nameOf(DType dtype);

/// One tensor with its own bytes: row-major, little endian.
struct Tensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape; ///< outermost first; empty for a scalar
  std::vector<uint8_t> bytes;

  int64_t elements() const;
  /// The elements as numbers, whatever the dtype.
  std::vector<double> numbers() const;
  /// A tensor of `dtype` from numbers: rounded to nearest even, integers clamped to their range (NaN gives
  /// 0). `values` has one entry an element.
  static Tensor fromNumbers(std::string name, DType dtype, std::vector<int64_t> shape,
                            const std::vector<double> &values);
};

/// A file's tensors in the order of their data, and its `__metadata__`.
struct TensorFile {
  std::vector<Tensor> tensors;
  std::map<std::string, std::string> metadata;
  /// Null if there is none of that name.
  const Tensor *find(const std::string &name) const;
};

/// The file's contents, or a sentence saying what is wrong with it. `what` names the file in messages.
std::variant<TensorFile, std::string> parse(const uint8_t *data, size_t size, const std::string &what);
/// Reads and parses the file at `path`.
std::variant<TensorFile, std::string> read(const std::string &path);

/// The bytes of a file: equal for equal contents. Tensors keep their order but for wider elements first,
/// which keeps every tensor aligned to its element; the header is padded to 8 bytes. Or a sentence saying
/// what cannot be written: I64, two tensors of one name, bytes that do not match a shape.
std::variant<std::vector<uint8_t>, std::string> serialise(const TensorFile &file);
/// Writes the file at `path` as a whole or not at all (WriteWhole.h). Returns a sentence after an error.
std::optional<std::string> write(const std::string &path, const TensorFile &file);

} // namespace segc::files

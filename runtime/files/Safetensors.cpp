/// \file Tensor files as a whole: offsets against the data, layout of a new file, atomic writing.
// SPDX-License-Identifier: MIT
#include "runtime/files/Safetensors.h"
#include "runtime/files/Header.h"
#include "runtime/files/Numbers.h"
#include "runtime/files/WriteWhole.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace segc::files {

int64_t Tensor::elements() const { return static_cast<int64_t>(bytes.size()) / byteSize(dtype); }

std::vector<double> Tensor::numbers() const {
  std::vector<double> values(elements());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = decode(dtype, bytes.data() + i * byteSize(dtype));
  return values;
}

Tensor Tensor::fromNumbers(std::string name, DType dtype, std::vector<int64_t> shape,
                           const std::vector<double> &values) {
  Tensor tensor{std::move(name), dtype, std::move(shape), {}};
  tensor.bytes.resize(values.size() * byteSize(dtype));
  for (size_t i = 0; i < values.size(); ++i)
    encode(dtype, values[i], tensor.bytes.data() + i * byteSize(dtype));
  return tensor;
}

const Tensor *TensorFile::find(const std::string &name) const {
  for (const Tensor &tensor : tensors)
    if (tensor.name == name)
      return &tensor;
  return nullptr;
}

/// Bytes of a tensor, or nothing if they exceed 2^63.
static std::optional<uint64_t> sizeInBytes(DType dtype, const std::vector<int64_t> &shape) {
  int64_t total = byteSize(dtype);
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(total, extent, &total))
      return std::nullopt;
  return static_cast<uint64_t>(total);
}

static uint64_t readLength(const uint8_t *data) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | data[i];
  return length;
}

std::variant<TensorFile, std::string> parse(const uint8_t *data, size_t size, const std::string &what) {
  auto refuse = [&](const std::string &why) { return what + ": not a valid safetensors file: " + why; };
  if (size < 8)
    return refuse("it has " + std::to_string(size) + " bytes, a header length alone takes 8");
  uint64_t headerBytes = readLength(data);
  if (headerBytes > kMaxHeaderBytes)
    return refuse("its header claims " + std::to_string(headerBytes) + " bytes, at most " +
                  std::to_string(kMaxHeaderBytes) + " are allowed");
  if (headerBytes > size - 8)
    return refuse("its header claims " + std::to_string(headerBytes) + " bytes, the file has " +
                  std::to_string(size - 8) + " after the length");
  auto parsed = parseHeader(reinterpret_cast<const char *>(data) + 8, headerBytes);
  if (auto *problem = std::get_if<std::string>(&parsed))
    return refuse(*problem);
  HeaderContents &header = std::get<HeaderContents>(parsed);

  // In the order of their data, tensors must tile the rest of the file: no overlap, no hole, nothing after.
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const auto &a, const auto &b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  const uint8_t *block = data + 8 + headerBytes;
  uint64_t available = size - 8 - headerBytes, position = 0;
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (HeaderEntry &entry : header.entries) {
    std::string tensor = "tensor \"" + entry.name + "\" ";
    auto bytes = sizeInBytes(entry.dtype, entry.shape);
    if (!bytes)
      return refuse(tensor + "has a size that overflows");
    if (entry.end < entry.begin || entry.end - entry.begin != *bytes)
      return refuse(tensor + "needs " + std::to_string(*bytes) + " bytes, its offsets are [" +
                    std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]");
    if (entry.begin != position)
      return refuse(tensor +
                    (entry.begin < position ? "overlaps another one" : "follows a hole in the data"));
    if (entry.end > available)
      return refuse(tensor + "ends at byte " + std::to_string(entry.end) + " of the data, the file has " +
                    std::to_string(available));
    position = entry.end;
    file.tensors.push_back({std::move(entry.name), entry.dtype, std::move(entry.shape),
                            std::vector<uint8_t>(block + entry.begin, block + entry.end)});
  }
  if (position != available)
    return refuse(std::to_string(available - position) + " bytes after the last tensor");
  return file;
}

static std::string systemError(const std::string &path, const char *action) {
  return path + ": cannot " + action + ": " + std::strerror(errno);
}

std::variant<TensorFile, std::string> read(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return systemError(path, "open");
  struct stat status;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return path + ": not a regular file";
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(status.st_size));
  size_t done = 0;
  ssize_t got = 1;
  while (done < bytes.size() && got > 0) {
    got = ::read(descriptor, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR)
      got = 1;
    else if (got > 0)
      done += static_cast<size_t>(got);
  }
  std::string failure = got < 0 ? systemError(path, "read") : "";
  ::close(descriptor);
  if (!failure.empty())
    return failure;
  return parse(bytes.data(), done, path);
}

std::variant<std::vector<uint8_t>, std::string> serialise(const TensorFile &file) {
  std::vector<const Tensor *> order;
  std::set<std::string> names;
  for (const Tensor &tensor : file.tensors) {
    if (tensor.dtype == DType::I64)
      return "tensor \"" + tensor.name + "\": I64 is read, not written";
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      return "tensor \"" + tensor.name + "\": the name is taken";
    if (tensor.shape.size() > kMaxRank || tensor.name.size() > kMaxNameBytes ||
        sizeInBytes(tensor.dtype, tensor.shape) != tensor.bytes.size())
      return "tensor \"" + tensor.name + "\": " + std::to_string(tensor.bytes.size()) +
             " bytes do not match its shape, or its name or rank is too long";
    order.push_back(&tensor);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Tensor *a, const Tensor *b) { return byteSize(a->dtype) > byteSize(b->dtype); });

  bool valid = true;
  auto quoted = [&](const std::string &text) {
    auto result = quote(text);
    valid &= result.has_value();
    return result.value_or("");
  };
  std::string header = "{";
  if (!file.metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto &[key, value] : file.metadata)
      header += (header.back() == '{' ? "" : ",") + quoted(key) + ":" + quoted(value);
    header += "}";
  }
  uint64_t offset = 0;
  for (const Tensor *tensor : order) {
    header += (header.size() == 1 ? "" : ",") + quoted(tensor->name) + ":{\"dtype\":\"" +
              nameOf(tensor->dtype) + "\",\"shape\":[";
    for (size_t axis = 0; axis < tensor->shape.size(); ++axis)
      header += (axis ? "," : "") + std::to_string(tensor->shape[axis]);
    header += "],\"data_offsets\":[" + std::to_string(offset) + ",";
    offset += tensor->bytes.size();
    header += std::to_string(offset) + "]}";
  }
  header += "}";
  if (!valid)
    return std::string("names and metadata must be UTF-8");
  header.resize((header.size() + 7) / 8 * 8, ' ');

  std::vector<uint8_t> bytes(8 + header.size() + offset);
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<uint8_t>(header.size() >> (8 * i));
  auto end = std::copy(header.begin(), header.end(), bytes.begin() + 8);
  for (const Tensor *tensor : order)
    end = std::copy(tensor->bytes.begin(), tensor->bytes.end(), end);
  return bytes;
}

std::optional<std::string> write(const std::string &path, const TensorFile &file) {
  auto serialised = serialise(file);
  if (auto *problem = std::get_if<std::string>(&serialised))
    return path + ": " + *problem;
  const auto &bytes = std::get<std::vector<uint8_t>>(serialised);
  return writeWhole(path, bytes.data(), bytes.size());
}

} // namespace segc::files

/// \file Binds the tensors of a safetensors file to the weights a model asks for.
// SPDX-License-Identifier: MIT
#include "runtime/core/Weights.h"
#include "runtime/core/Table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace segc::rt {

int MappedFile::open(const char *path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(SEGC_MODEL_IO_ERROR, "cannot open weights '%s': %s", path, strerror(errno));
  struct stat info;
  int status = SEGC_MODEL_OK;
  if (fstat(fd, &info) != 0)
    status = fail(SEGC_MODEL_IO_ERROR, "cannot read weights '%s': %s", path, strerror(errno));
  else if (!S_ISREG(info.st_mode))
    status = fail(SEGC_MODEL_IO_ERROR, "weights '%s' is not a regular file", path);
  else if (info.st_size == 0)
    status = fail(SEGC_MODEL_INVALID_WEIGHTS, "weights '%s' is empty", path);
  if (!status) {
    void *map = mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
      status = fail(SEGC_MODEL_IO_ERROR, "cannot map weights '%s': %s", path, strerror(errno));
    } else {
      data = map;
      bytes = size_t(info.st_size);
    }
  }
  ::close(fd);
  return status;
}

void MappedFile::close() {
  if (data)
    munmap(const_cast<void *>(data), bytes);
  data = nullptr;
}

void forgetPages(const void *data, uint64_t bytes) {
  const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE)),
                  first = reinterpret_cast<uintptr_t>(data) / page * page;
  madvise(reinterpret_cast<void *>(first), reinterpret_cast<uintptr_t>(data) + bytes - first, MADV_DONTNEED);
}

// Halves below 2^-14 are multiples of 2^-24, exact in f32.
float fromHalf(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  float value;
  if (exponent == 0) {
    value = float(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  const uint32_t bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float fromBFloat(uint16_t half) {
  const uint32_t bits = uint32_t(half) << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

namespace {

/// The f32 value of element `i`; memcpy because the file's data may be misaligned.
float element(const FileTensor &tensor, int64_t i) {
  float value;
  if (tensor.type == FileType::F64) {
    double wide;
    memcpy(&wide, tensor.data + 8 * i, 8);
    return float(wide);
  }
  if (tensor.type == FileType::F32) {
    memcpy(&value, tensor.data + 4 * i, 4);
    return value;
  }
  uint16_t half;
  memcpy(&half, tensor.data + 2 * i, 2);
  return tensor.type == FileType::F16 ? fromHalf(half) : fromBFloat(half);
}

bool convertible(FileType type) {
  return type == FileType::F32 || type == FileType::F64 || type == FileType::F16 || type == FileType::BF16;
}

void appendShape(TextBuffer &text, const int64_t *shape, uint32_t rank) {
  text.append("[");
  for (uint32_t i = 0; i < rank; ++i)
    text.append(i ? ", %lld" : "%lld", (long long)shape[i]);
  text.append("]");
}

/// A sentence about what is wrong with one weight; false if nothing is.
bool describeMismatch(const char *name, const WeightDesc &want, const FileTensor *have, TextBuffer &text) {
  const bool shapesAgree =
      have && have->rank == want.rank && memcmp(have->shape, want.extents, want.rank * sizeof(int64_t)) == 0;
  if (shapesAgree && convertible(have->type))
    return false;
  text.append("\n  '%s': the model wants %s ", name, nameOf(want.dtype));
  appendShape(text, want.extents, want.rank);
  if (!have) {
    text.append(", the file does not have it");
    return true;
  }
  text.append(", the file has %s ", nameOf(have->type));
  appendShape(text, have->shape, have->rank);
  return true;
}

/// Names of tensors in the file that nothing asked for, at most eight; returns how many there are.
uint32_t listUnused(const Safetensors &file, TextBuffer &text) {
  uint32_t unused = 0;
  for (uint32_t i = 0; i < file.count; ++i) {
    if (file.tensors[i].used)
      continue;
    if (++unused <= 8)
      text.append(unused > 1 ? ", %s" : "%s", file.tensors[i].name);
  }
  if (unused > 8)
    text.append(", ...");
  return unused;
}

} // namespace

int Weights::bind(const Header &table, Safetensors &file, const unsigned char *keep, TextBuffer &note) {
  const WeightDesc *wanted = elements<WeightDesc>(table, table.weights);
  count = table.weights.count;
  data = static_cast<const void **>(calloc(count + 1, sizeof(void *)));
  owned = static_cast<void **>(calloc(count + 1, sizeof(void *)));
  if (!data || !owned) {
    free();
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  }
  char space[3000], unusedSpace[900];
  TextBuffer differences = {space, sizeof space, 0}, unused = {unusedSpace, sizeof unusedSpace, 0};
  space[0] = unusedSpace[0] = '\0';
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const char *name = text(table, wanted[i].name);
    FileTensor *tensor = file.find(name);
    TextBuffer nowhere = {nullptr, 0, 0};
    if (tensor)
      tensor->used = true;
    wrong += describeMismatch(name, wanted[i], tensor, wrong < 16 ? differences : nowhere);
  }
  const uint32_t extra = listUnused(file, unused);
  if (wrong) {
    free();
    return fail(SEGC_MODEL_INVALID_WEIGHTS, "%u of %u weights do not fit the model:%s%s%s%s", wrong,
                table.weights.count, space, wrong > 16 ? "\n  ..." : "",
                extra ? "\n  in the file but not in the model: " : "", unusedSpace);
  }
  if (extra)
    note.append("%u tensor%s of the weights %s not used: %s", extra, extra > 1 ? "s" : "",
                extra > 1 ? "are" : "is", unusedSpace);
  for (uint32_t i = 0; i < count; ++i) {
    const FileTensor &tensor = *file.find(text(table, wanted[i].name));
    data[i] = tensor.data;
    if (tensor.type == FileType::F32 && reinterpret_cast<uintptr_t>(tensor.data) % 4 == 0 && !keep[i])
      continue;
    int64_t size = 1; // cannot overflow: the bytes are in memory, and no type is wider than 8
    for (uint32_t k = 0; k < tensor.rank; ++k)
      size *= tensor.shape[k];
    float *copy = static_cast<float *>(malloc(size_t(size) * sizeof(float) + 1));
    if (!copy) {
      free();
      return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for weight '%s'", tensor.name);
    }
    for (int64_t e = 0; e < size; ++e)
      copy[e] = element(tensor, e);
    if (mapped)
      forgetPages(tensor.data, tensor.end - tensor.begin);
    data[i] = owned[i] = copy;
  }
  return SEGC_MODEL_OK;
}

void Weights::dropUnkept(const unsigned char *keep) {
  for (uint32_t i = 0; i < count; ++i) {
    if (keep[i])
      continue;
    ::free(owned[i]);
    owned[i] = nullptr;
    data[i] = nullptr;
  }
}

void Weights::free() {
  for (uint32_t i = 0; owned && i < count; ++i)
    ::free(owned[i]);
  ::free(owned);
  ::free(data);
  data = nullptr;
  owned = nullptr;
  count = 0;
}

} // namespace segc::rt

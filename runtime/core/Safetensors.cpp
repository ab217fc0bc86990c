/// \file The safetensors reader: a cursor over the JSON header, then checks of the tensors as a whole.
///
/// Format: 8 bytes header length (little endian), a JSON object {"name": {"dtype", "shape", "data_offsets"},
/// ...,
/// "__metadata__": {string: string}}, data. https://github.com/huggingface/safetensors#format
// SPDX-License-Identifier: MIT
#include "runtime/core/Safetensors.h"
#include "runtime/core/Error.h"
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

struct TypeRow {
  const char *name;
  uint32_t bytes;
};
const TypeRow typeRows[] = {{"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
                            {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U64", 8},     {"U32", 4},
                            {"U16", 2}, {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
constexpr uint32_t kTypes = sizeof(typeRows) / sizeof(*typeRows);

/// Reads JSON tokens; the first failure is kept as a text, after which every call fails.
struct Cursor {
  const char *start, *at, *end;
  char *out; ///< unescaped strings go here; never longer than what they came from

  int wrong(const char *what) const {
    return fail(SEGC_MODEL_INVALID_WEIGHTS, "the weights' header is malformed at byte %llu: %s",
                (unsigned long long)(at - start) + 8, what);
  }
  void skipSpace() {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
      ++at;
  }
  /// Takes `c` if it is next.
  bool take(char c) {
    skipSpace();
    if (at < end && *at == c) {
      ++at;
      return true;
    }
    return false;
  }
  bool hex4(uint32_t &value) {
    if (end - at < 4)
      return false;
    value = 0;
    for (int i = 0; i < 4; ++i, ++at) {
      const char c = *at;
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0)
        return false;
      value = value * 16 + uint32_t(digit);
    }
    return true;
  }
  void putUtf8(uint32_t code) {
    if (code < 0x80) {
      *out++ = char(code);
      return;
    }
    const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint32_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = char(lead[tail] | code >> 6 * tail);
    for (int i = tail - 1; i >= 0; --i)
      *out++ = char(0x80 | (code >> 6 * i & 0x3f));
  }
  bool escape() {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = *at++;
    if (const char *hit = c ? strchr(from, c) : nullptr) {
      *out++ = to[hit - from];
      return true;
    }
    uint32_t code, low;
    if (c != 'u' || !hex4(code) || code == 0 || (code >= 0xdc00 && code < 0xe000))
      return false;
    if (code >= 0xd800 && code < 0xdc00) {
      if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return false;
      at += 2;
      if (!hex4(low) || low < 0xdc00 || low >= 0xe000)
        return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    putUtf8(code);
    return true;
  }
  int string(const char *&text) {
    if (!take('"'))
      return wrong("a string is expected");
    text = out;
    while (at < end && *at != '"') {
      if (static_cast<unsigned char>(*at) < 0x20)
        return wrong("a control character in a string");
      if (*at != '\\') {
        *out++ = *at++;
        continue;
      }
      if (++at == end || !escape())
        return wrong("a bad escape in a string");
    }
    if (at == end)
      return wrong("a string does not end");
    ++at;
    *out++ = '\0'; // there is room: the two quotes
    return SEGC_MODEL_OK;
  }
  int number(uint64_t &value) {
    skipSpace();
    const char *first = at;
    for (value = 0; at < end && *at >= '0' && *at <= '9'; ++at)
      if (__builtin_mul_overflow(value, uint64_t(10), &value) ||
          __builtin_add_overflow(value, uint64_t(*at - '0'), &value) || value > INT64_MAX)
        return wrong("a number does not fit into 63 bits");
    if (at == first || (at - first > 1 && *first == '0') ||
        (at < end && (*at == '.' || *at == 'e' || *at == 'E')))
      return wrong("a whole number, not negative, is expected");
    return SEGC_MODEL_OK;
  }
  /// [n, n, ...] of at most `capacity` numbers.
  int numbers(uint64_t *values, uint32_t capacity, uint32_t &count) {
    count = 0;
    if (!take('['))
      return wrong("'[' is expected");
    if (take(']'))
      return SEGC_MODEL_OK;
    do {
      if (count == capacity)
        return wrong("too many numbers in a list");
      if (int status = number(values[count++]))
        return status;
    } while (take(','));
    return take(']') ? SEGC_MODEL_OK : wrong("']' is expected");
  }
};

int readMetadata(Cursor &cursor) {
  if (!cursor.take('{'))
    return cursor.wrong("'{' is expected");
  if (cursor.take('}'))
    return SEGC_MODEL_OK;
  do {
    const char *text;
    if (int status = cursor.string(text))
      return status;
    if (!cursor.take(':'))
      return cursor.wrong("':' is expected");
    if (int status = cursor.string(text))
      return status;
  } while (cursor.take(','));
  return cursor.take('}') ? SEGC_MODEL_OK : cursor.wrong("'}' is expected");
}

int readType(Cursor &cursor, FileTensor &tensor) {
  const char *type;
  if (int status = cursor.string(type))
    return status;
  for (uint32_t i = 0; i < kTypes; ++i)
    if (strcmp(type, typeRows[i].name) == 0) {
      tensor.type = FileType(i);
      return SEGC_MODEL_OK;
    }
  return fail(SEGC_MODEL_INVALID_WEIGHTS, "weight '%s' has the unknown type '%.32s'", tensor.name, type);
}

/// {"dtype": ..., "shape": ..., "data_offsets": ...} in any order, each once.
int readTensor(Cursor &cursor, FileTensor &tensor) {
  uint32_t seen = 0, count = 0;
  uint64_t values[kMaxFileRank];
  if (!cursor.take('{'))
    return cursor.wrong("'{' is expected");
  do {
    const char *key;
    if (int status = cursor.string(key))
      return status;
    const uint32_t bit = strcmp(key, "dtype") == 0          ? 1
                         : strcmp(key, "shape") == 0        ? 2
                         : strcmp(key, "data_offsets") == 0 ? 4
                                                            : 0;
    if (!bit || (seen & bit))
      return cursor.wrong("a tensor has exactly dtype, shape and data_offsets");
    seen |= bit;
    if (!cursor.take(':'))
      return cursor.wrong("':' is expected");
    int status =
        bit == 1 ? readType(cursor, tensor) : cursor.numbers(values, bit == 2 ? kMaxFileRank : 2, count);
    if (status)
      return status;
    if (bit == 2) {
      tensor.rank = count;
      for (uint32_t i = 0; i < count; ++i)
        tensor.shape[i] = int64_t(values[i]);
    } else if (bit == 4) {
      if (count != 2)
        return cursor.wrong("data_offsets are two numbers");
      tensor.begin = values[0];
      tensor.end = values[1];
    }
  } while (cursor.take(','));
  if (!cursor.take('}') || seen != 7)
    return cursor.wrong("a tensor has exactly dtype, shape and data_offsets");
  return SEGC_MODEL_OK;
}

/// Doubles the room for tensors when it is full.
int reserve(Safetensors &file, uint32_t &capacity) {
  if (file.count >= kMaxTensors)
    return fail(SEGC_MODEL_INVALID_WEIGHTS, "the weights have more than %u tensors", kMaxTensors);
  if (file.count < capacity)
    return SEGC_MODEL_OK;
  capacity = capacity ? 2 * capacity : 64;
  void *grown = realloc(file.tensors, capacity * sizeof(FileTensor));
  if (!grown)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  file.tensors = static_cast<FileTensor *>(grown);
  return SEGC_MODEL_OK;
}

int readHeader(Cursor &cursor, Safetensors &file) {
  uint32_t capacity = 0;
  bool metadata = false;
  // The format wants '{' first: a length that lies about where the header is fails here.
  if (cursor.at == cursor.end || *cursor.at != '{' || !cursor.take('{'))
    return cursor.wrong("'{' is expected");
  if (!cursor.take('}')) {
    do {
      const char *name;
      if (int status = cursor.string(name))
        return status;
      if (!cursor.take(':'))
        return cursor.wrong("':' is expected");
      if (strcmp(name, "__metadata__") == 0) {
        if (metadata)
          return cursor.wrong("__metadata__ comes twice");
        metadata = true;
        if (int status = readMetadata(cursor))
          return status;
        continue;
      }
      if (int status = reserve(file, capacity))
        return status;
      FileTensor &tensor = file.tensors[file.count];
      memset(&tensor, 0, sizeof tensor);
      tensor.name = name;
      if (int status = readTensor(cursor, tensor))
        return status;
      ++file.count;
    } while (cursor.take(','));
    if (!cursor.take('}'))
      return cursor.wrong("',' or '}' is expected");
  }
  cursor.skipSpace();
  return cursor.at == cursor.end ? SEGC_MODEL_OK : cursor.wrong("text after the end of the header");
}

int byName(const void *a, const void *b) {
  return strcmp(static_cast<const FileTensor *>(a)->name, static_cast<const FileTensor *>(b)->name);
}

/// Empty tensors first among equals: they take no bytes, so any of them may stand before the one that does.
int byOffset(const void *a, const void *b) {
  const FileTensor *x = static_cast<const FileTensor *>(a), *y = static_cast<const FileTensor *>(b);
  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/// Shapes against bytes; then, in the order of the data, that tensors follow each other and fill the block.
int checkTensors(Safetensors &file, const unsigned char *data, uint64_t bytes) {
  for (uint32_t i = 0; i < file.count; ++i) {
    FileTensor &tensor = file.tensors[i];
    uint64_t need = typeRows[uint32_t(tensor.type)].bytes;
    bool overflow = false;
    for (uint32_t k = 0; k < tensor.rank; ++k)
      overflow |= __builtin_mul_overflow(need, uint64_t(tensor.shape[k]), &need);
    if (overflow || tensor.end < tensor.begin || tensor.end - tensor.begin != need)
      return fail(SEGC_MODEL_INVALID_WEIGHTS,
                  "weight '%s': its shape and its %lld bytes of data do not agree", tensor.name,
                  (long long)(tensor.end - tensor.begin));
    if (tensor.end > bytes)
      return fail(SEGC_MODEL_INVALID_WEIGHTS,
                  "weight '%s' ends at byte %llu of %llu bytes of data: is it cut off?", tensor.name,
                  (unsigned long long)tensor.end, (unsigned long long)bytes);
    tensor.data = data + tensor.begin;
  }
  if (file.count)
    qsort(file.tensors, file.count, sizeof(FileTensor), byOffset);
  uint64_t end = 0;
  for (uint32_t i = 0; i < file.count; ++i) {
    if (file.tensors[i].begin != end)
      return fail(SEGC_MODEL_INVALID_WEIGHTS,
                  "weight '%s' starts at byte %llu of the data, the one before it ends at %llu",
                  file.tensors[i].name, (unsigned long long)file.tensors[i].begin, (unsigned long long)end);
    end = file.tensors[i].end;
  }
  if (end != bytes)
    return fail(SEGC_MODEL_INVALID_WEIGHTS, "%llu bytes of the weights belong to no tensor",
                (unsigned long long)(bytes - end));
  if (file.count)
    qsort(file.tensors, file.count, sizeof(FileTensor), byName);
  for (uint32_t i = 1; i < file.count; ++i)
    if (strcmp(file.tensors[i - 1].name, file.tensors[i].name) == 0)
      return fail(SEGC_MODEL_INVALID_WEIGHTS, "weight '%s' is there twice", file.tensors[i].name);
  return SEGC_MODEL_OK;
}

} // namespace

const char *nameOf(FileType type) { return typeRows[uint32_t(type)].name; }

int Safetensors::read(const void *block, size_t bytes) {
  const unsigned char *base = static_cast<const unsigned char *>(block);
  if (bytes < 8)
    return fail(SEGC_MODEL_INVALID_WEIGHTS, "the weights are %llu bytes: no safetensors file is that short",
                (unsigned long long)bytes);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | base[i];
  if (length > kMaxHeaderBytes || length > bytes - 8)
    return fail(
        SEGC_MODEL_INVALID_WEIGHTS,
        "the weights' header claims %llu bytes, the file has %llu after the first 8 (limit 100 MB): no "
        "safetensors file, or cut off",
        (unsigned long long)length, (unsigned long long)bytes - 8);
  names = static_cast<char *>(malloc(length + 1));
  if (!names)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for %llu bytes of weight names",
                (unsigned long long)length);
  const char *text = reinterpret_cast<const char *>(base + 8);
  Cursor cursor = {text, text, text + length, names};
  int status = readHeader(cursor, *this);
  if (!status)
    status = checkTensors(*this, base + 8 + length, bytes - 8 - length);
  if (status)
    free();
  return status;
}

void Safetensors::free() {
  ::free(tensors);
  ::free(names);
  tensors = nullptr;
  names = nullptr;
  count = 0;
}

FileTensor *Safetensors::find(const char *name) const {
  uint32_t low = 0, high = count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    const int order = strcmp(tensors[middle].name, name);
    if (order == 0)
      return &tensors[middle];
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return nullptr;
}

} // namespace segc::rt

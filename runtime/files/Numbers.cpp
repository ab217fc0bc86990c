/// \file Decoding and encoding of elements; 16-bit floats by exact arithmetic in double.
// SPDX-License-Identifier: MIT
#include "runtime/files/Numbers.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace segc::files {

int64_t byteSize(DType dtype) {
  switch (dtype) {
  case DType::I64:
    return 8;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::I8:
  case DType::U8:
    return 1;
  }
  return 0;
}

template <typename T> static T load(const uint8_t *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}
template <typename T> static void store(T value, uint8_t *bytes) { std::memcpy(bytes, &value, sizeof(T)); }

/// A binary float of 16 bits: sign, exponent, `mantissaBits` of fraction.
static double decodeHalf(uint16_t bits, int mantissaBits) {
  int exponentBits = 15 - mantissaBits, bias = (1 << (exponentBits - 1)) - 1;
  int exponent = (bits & 0x7fff) >> mantissaBits, fraction = bits & ((1 << mantissaBits) - 1);
  double magnitude;
  if (exponent == (1 << exponentBits) - 1)
    magnitude = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  else if (exponent == 0)
    magnitude = std::ldexp(fraction, 1 - bias - mantissaBits);
  else
    magnitude = std::ldexp((1 << mantissaBits) + fraction, exponent - bias - mantissaBits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

static uint16_t encodeHalf(double value, int mantissaBits) {
  int exponentBits = 15 - mantissaBits, bias = (1 << (exponentBits - 1)) - 1;
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  uint16_t infinity = static_cast<uint16_t>(((1 << exponentBits) - 1) << mantissaBits);
  double magnitude = std::fabs(value);
  if (std::isnan(value))
    return sign | infinity | static_cast<uint16_t>(1 << (mantissaBits - 1));
  if (std::isinf(value))
    return sign | infinity;
  // In units of the last place the magnitude is an integer after rounding; a carry into the next binade, or
  // into infinity, is the same integer read as bits.
  int exponent = std::max(magnitude == 0 ? 1 - bias : std::ilogb(magnitude), 1 - bias);
  double units = std::nearbyint(std::ldexp(magnitude, mantissaBits - exponent));
  double bits = units + std::ldexp(exponent + bias - 1, mantissaBits);
  return sign | (bits >= infinity ? infinity : static_cast<uint16_t>(bits));
}

template <typename T> static T encodeInteger(double value) {
  if (std::isnan(value))
    return 0;
  // 2^63 itself is the double nearest to the largest int64.
  double lowest = static_cast<double>(std::numeric_limits<T>::lowest());
  double highest = static_cast<double>(std::numeric_limits<T>::max());
  double rounded = std::nearbyint(value);
  return rounded <= lowest    ? std::numeric_limits<T>::lowest()
         : rounded >= highest ? std::numeric_limits<T>::max()
                              : static_cast<T>(rounded);
}

double decode(DType dtype, const uint8_t *bytes) {
  switch (dtype) {
  case DType::F32:
    return load<float>(bytes);
  case DType::F16:
    return decodeHalf(load<uint16_t>(bytes), 10);
  case DType::BF16:
    return decodeHalf(load<uint16_t>(bytes), 7);
  case DType::I8:
    return load<int8_t>(bytes);
  case DType::U8:
    return load<uint8_t>(bytes);
  case DType::I32:
    return load<int32_t>(bytes);
  case DType::I64:
    return static_cast<double>(load<int64_t>(bytes));
  }
  return 0;
}

void encode(DType dtype, double value, uint8_t *bytes) {
  switch (dtype) {
  case DType::F32:
    return store(static_cast<float>(value), bytes);
  case DType::F16:
    return store(encodeHalf(value, 10), bytes);
  case DType::BF16:
    return store(encodeHalf(value, 7), bytes);
  case DType::I8:
    return store(encodeInteger<int8_t>(value), bytes);
  case DType::U8:
    return store(encodeInteger<uint8_t>(value), bytes);
  case DType::I32:
    return store(encodeInteger<int32_t>(value), bytes);
  case DType::I64:
    return store(encodeInteger<int64_t>(value), bytes);
  }
}

} // namespace segc::files

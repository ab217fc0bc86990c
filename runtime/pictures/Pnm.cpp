/// \file Pnm: PGM and PPM, text (P2, P3) and binary (P5, P6). http://netpbm.sourceforge.net/doc/ppm.html
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Codec.h"
#include <cstring>

namespace segc::pictures {

namespace {

class Scanner {
public:
  Scanner(const uint8_t *data, size_t size) : at(data), end(data + size) {}

  /// The next decimal number, after white space and comments; -1 if there is none or it is above 2^31 - 1.
  int64_t number() {
    while (at < end && (isSpace(*at) || *at == '#')) {
      if (*at == '#')
        at = static_cast<const uint8_t *>(memchr(at, '\n', size_t(end - at)));
      if (!at)
        at = end;
      else
        ++at;
    }
    int64_t value = -1;
    for (; at < end && *at >= '0' && *at <= '9'; ++at) {
      value = (value < 0 ? 0 : value * 10) + (*at - '0');
      if (value > INT32_MAX)
        return -1;
    }
    return value;
  }
  /// The single white space between the header and binary samples.
  bool separator() { return at < end && isSpace(*at++); }
  /// One binary sample of 1 or 2 bytes (big endian), or -1 at the end.
  int64_t sample(int bytes) {
    if (end - at < bytes)
      return -1;
    const int64_t value = bytes == 1 ? at[0] : at[0] << 8 | at[1];
    at += bytes;
    return value;
  }
  int64_t left() const { return end - at; }

private:
  static bool isSpace(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  const uint8_t *at, *end;
};

} // namespace

std::variant<Raster, Failure> decodePnm(const uint8_t *data, size_t size, const ReadOptions &options,
                                        Depth depth) {
  const char kind = char(data[1]);
  if (kind != '2' && kind != '3' && kind != '5' && kind != '6')
    return std::string("is a P") + kind + " file; convert it to PGM, PPM or PNG";
  const bool colour = kind == '3' || kind == '6', text = kind < '5';
  Scanner scanner(data + 2, size - 2);
  const int64_t width = scanner.number(), height = scanner.number(), maximum = scanner.number();
  if (width < 0 || height < 0 || maximum < 1 || maximum > 65535 || !scanner.separator())
    return "is a damaged PGM or PPM: its header needs width, height and a maximum of 1 to 65535";
  if (std::optional<Failure> failure = checkHeader(width, height, colour, options))
    return *failure;
  if (options.labels && maximum > 255 && depth == Depth::Eight)
    return tooDeepForLabels();
  const int channels = colour ? 3 : 1, bytes = text || maximum < 256 ? 1 : 2;
  // A text sample takes a digit and a space, but for the last.
  if (scanner.left() < width * height * channels * (text ? 2 : bytes) - (text ? 1 : 0))
    return "is a damaged PGM or PPM: the file ends too early";
  const bool deep = depth == Depth::Sixteen && maximum > 255;
  Raster picture(width, height, channels, deep ? 16 : 8);
  const int64_t white = deep ? 65535 : 255;
  for (int64_t i = 0; i < picture.samples(); ++i) {
    const int64_t value = text ? scanner.number() : scanner.sample(bytes);
    if (value < 0 || value > maximum)
      return "is a damaged PGM or PPM: a sample is missing or above the maximum";
    picture.setSample(i, uint16_t(options.labels ? value : (value * white + maximum / 2) / maximum));
  }
  return picture;
}

std::vector<uint8_t> encodePnm(const Picture &picture) {
  const std::string header = std::string(picture.channels == 3 ? "P6" : "P5") + "\n" +
                             std::to_string(picture.width) + " " + std::to_string(picture.height) + "\n255\n";
  std::vector<uint8_t> bytes(header.begin(), header.end());
  bytes.insert(bytes.end(), picture.bytes.begin(), picture.bytes.end());
  return bytes;
}

} // namespace segc::pictures

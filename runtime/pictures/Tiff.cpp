/// \file Tiff: libtiff from memory. Gray, palette and RGB samples are unpacked here, so that labels keep
/// their numbers; the rarer colour spaces go through libtiff's own conversion to RGBA.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Codec.h"
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <tiffio.h>

namespace segc::pictures {

namespace {

/// No single allocation of libtiff may be larger; a strip or tile of a sensible file is far below.
constexpr tmsize_t maxAllocation = tmsize_t(1) << 28;
/// Pages looked at when asking whether a file holds more than one picture.
constexpr int maxPages = 64;

class Reader {
public:
  Reader(const uint8_t *data, size_t size) : data(data), size(size) {
    std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions *)> options(TIFFOpenOptionsAlloc(),
                                                                          TIFFOpenOptionsFree);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), maxAllocation);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), onError, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), onWarning, this);
    // "m": no mapping, so that every read passes the bounds below.
    tiff = TIFFClientOpenExt(
        "memory", "rm", this, onRead, [](thandle_t, void *, tmsize_t) { return tmsize_t(0); }, onSeek,
        [](thandle_t) { return 0; }, [](thandle_t self) { return toff_t(static_cast<Reader *>(self)->size); },
        nullptr, nullptr, options.get());
  }
  ~Reader() {
    if (tiff)
      TIFFClose(tiff);
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  /// False once libtiff has reported an error: it goes on without the tag in question, and a wrong picture is
  /// worse than none.
  bool valid() const { return tiff && !*message; }
  TIFF *file() const { return tiff; }
  Failure unreadable() const {
    return std::string("cannot be read as TIFF: ") + (*message ? message : "the file is damaged");
  }

  /// A tag of 16 bits, or what the format says it is when missing.
  int tag(uint32_t name) const {
    uint16_t value = 0;
    TIFFGetFieldDefaulted(tiff, name, &value);
    return value;
  }
  int64_t extent(uint32_t name) const {
    uint32_t value = 0;
    TIFFGetField(tiff, name, &value);
    return value;
  }

  /// How many pages hold a picture of their own, not a smaller copy or a mask.
  int pages() {
    int count = 0;
    for (int page = 0; page < maxPages && (page == 0 || TIFFReadDirectory(tiff)); ++page) {
      uint32_t kind = 0;
      TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind);
      count += (kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0;
    }
    TIFFSetDirectory(tiff, 0);
    return count;
  }

private:
  static int onError(TIFF *, void *self, const char *, const char *format, va_list arguments) {
    char *message = static_cast<Reader *>(self)->message;
    if (!*message) // the first error is the cause
      vsnprintf(message, sizeof Reader::message, format, arguments);
    return 1;
  }
  /// Warnings are about tags that do not change the pixels, but for those that the file is too short to hold:
  /// without its colours a palette picture would silently become gray.
  static int onWarning(TIFF *, void *self, const char *, const char *format, va_list arguments) {
    char text[sizeof Reader::message];
    vsnprintf(text, sizeof text, format, arguments);
    char *message = static_cast<Reader *>(self)->message;
    if (!*message && strstr(text, "IO error"))
      memcpy(message, text, sizeof text);
    return 1;
  }
  static tmsize_t onRead(thandle_t handle, void *to, tmsize_t count) {
    auto *self = static_cast<Reader *>(handle);
    const size_t left = self->at < self->size ? self->size - self->at : 0;
    const size_t copied = std::min(left, size_t(std::max<tmsize_t>(count, 0)));
    memcpy(to, self->data + std::min(self->at, self->size), copied);
    self->at += copied;
    return tmsize_t(copied);
  }
  static toff_t onSeek(thandle_t handle, toff_t offset, int whence) {
    auto *self = static_cast<Reader *>(handle);
    self->at = size_t(offset) + (whence == SEEK_CUR ? self->at : whence == SEEK_END ? self->size : 0);
    return self->at;
  }

  const uint8_t *data;
  size_t size, at = 0;
  TIFF *tiff = nullptr;
  char message[160] = "";
};

/// How the samples lie in the file.
struct Format {
  int bits, samples, photometric;
  bool direct() const {
    const bool gray = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE ||
                      photometric == PHOTOMETRIC_PALETTE;
    const bool packed = bits == 1 || bits == 2 || bits == 4;
    return (gray && samples == 1 && packed) || ((bits == 8 || bits == 16) && gray) ||
           ((bits == 8 || bits == 16) && photometric == PHOTOMETRIC_RGB && samples >= 3);
  }
};

/// Sample `i` of a row as libtiff gives it: packed from the highest bit, 16 bits in the machine's order.
uint16_t unpack(const uint8_t *row, int bits, int64_t i) {
  if (bits == 16) {
    uint16_t value;
    memcpy(&value, row + 2 * i, 2);
    return value;
  }
  return uint16_t(row[i * bits / 8] >> (8 - bits - i * bits % 8) & ((1 << bits) - 1));
}

/// Colours of a palette file; its tables have 16 bits, in careless files 8.
Palette paletteOf(TIFF *tiff, int bits) {
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  Palette palette;
  if (bits > 8 || !TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue))
    return palette;
  uint16_t largest = 0;
  for (int i = 0; i < 1 << bits; ++i)
    largest = std::max({largest, red[i], green[i], blue[i]});
  const int shift = largest > 255 ? 8 : 0;
  for (int i = 0; i < 1 << bits; ++i)
    palette.push_back({uint8_t(red[i] >> shift), uint8_t(green[i] >> shift), uint8_t(blue[i] >> shift)});
  return palette;
}

/// Puts one row's pixels from column `left` on into the raster.
class Placer {
public:
  Placer(Raster &raster, const Format &format, const Palette &palette, bool labels)
      : raster(raster), format(format), palette(palette), labels(labels) {}

  void place(const uint8_t *row, int64_t left, int64_t y, int64_t count) {
    const int64_t full = (int64_t(1) << format.bits) - 1, white = raster.bits == 16 ? 65535 : 255;
    for (int64_t x = 0; x < count; ++x)
      for (int c = 0; c < raster.channels; ++c) {
        const bool indexed = !labels && format.photometric == PHOTOMETRIC_PALETTE;
        int64_t value = unpack(row, format.bits, x * format.samples + (indexed ? 0 : c));
        if (indexed)
          value = palette[size_t(value)][size_t(c)];
        else if (!labels) {
          if (format.photometric == PHOTOMETRIC_MINISWHITE)
            value = full - value;
          value = (value * white + full / 2) / full;
        }
        raster.setSample((y * raster.width + left + x) * raster.channels + c, uint16_t(value));
      }
  }

private:
  Raster &raster;
  const Format &format;
  const Palette &palette;
  bool labels;
};

bool readRows(TIFF *tiff, const Format &format, Placer &placer, int64_t width, int64_t height) {
  std::vector<uint8_t> row(size_t(width * format.samples * format.bits + 7) / 8);
  if (TIFFScanlineSize64(tiff) != row.size())
    return false;
  for (int64_t y = 0; y < height; ++y) {
    if (TIFFReadScanline(tiff, row.data(), uint32_t(y)) != 1)
      return false;
    placer.place(row.data(), 0, y, width);
  }
  return true;
}

bool readTiles(TIFF *tiff, const Format &format, Placer &placer, int64_t width, int64_t height) {
  uint32_t across = 0, down = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &across);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &down);
  const uint64_t stride = (uint64_t(across) * uint64_t(format.samples * format.bits) + 7) / 8;
  if (!across || !down || stride > uint64_t(maxAllocation) / down || TIFFTileSize64(tiff) != stride * down)
    return false;
  std::vector<uint8_t> tile(stride * down);
  for (int64_t top = 0; top < height; top += down)
    for (int64_t left = 0; left < width; left += across) {
      if (TIFFReadTile(tiff, tile.data(), uint32_t(left), uint32_t(top), 0, 0) != tmsize_t(tile.size()))
        return false;
      for (int64_t y = top; y < std::min<int64_t>(height, top + down); ++y)
        placer.place(tile.data() + size_t(y - top) * stride, left, y,
                     std::min<int64_t>(across, width - left));
    }
  return true;
}

/// YCbCr, CMYK, Lab and the like, as libtiff converts them.
bool readConverted(TIFF *tiff, Raster &raster) {
  char reason[1024];
  if (!TIFFRGBAImageOK(tiff, reason))
    return false;
  std::vector<uint32_t> pixels(size_t(raster.width * raster.height));
  if (!TIFFReadRGBAImageOriented(tiff, uint32_t(raster.width), uint32_t(raster.height), pixels.data(),
                                 ORIENTATION_TOPLEFT, 1))
    return false;
  for (size_t i = 0; i < pixels.size(); ++i) {
    raster.bytes[3 * i] = uint8_t(TIFFGetR(pixels[i]));
    raster.bytes[3 * i + 1] = uint8_t(TIFFGetG(pixels[i]));
    raster.bytes[3 * i + 2] = uint8_t(TIFFGetB(pixels[i]));
  }
  return true;
}

} // namespace

std::variant<Raster, Failure> decodeTiff(const uint8_t *data, size_t size, const ReadOptions &options,
                                         Depth depth) {
  Reader reader(data, size);
  if (!reader.valid())
    return reader.unreadable();
  TIFF *tiff = reader.file();
  const int64_t width = reader.extent(TIFFTAG_IMAGEWIDTH), height = reader.extent(TIFFTAG_IMAGELENGTH);
  const Format format{reader.tag(TIFFTAG_BITSPERSAMPLE), reader.tag(TIFFTAG_SAMPLESPERPIXEL),
                      reader.tag(TIFFTAG_PHOTOMETRIC)};
  const bool direct =
      format.direct() && (reader.tag(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_CONTIG || format.samples == 1);
  const bool indexed = format.photometric == PHOTOMETRIC_PALETTE;
  const bool gray = direct && format.photometric != PHOTOMETRIC_RGB;
  if (std::optional<Failure> failure = checkHeader(width, height, !gray, options))
    return *failure;
  if (reader.tag(TIFFTAG_SAMPLEFORMAT) == SAMPLEFORMAT_IEEEFP || format.bits > 16)
    return "has samples of " + std::to_string(format.bits) + " bits or floating point; convert it to 16 bits";
  if (const int pages = reader.pages(); pages > 1)
    return "holds " + std::to_string(pages) + " pictures; split the stack into one file each";
  if (options.labels && format.bits == 16 && depth == Depth::Eight)
    return tooDeepForLabels();
  const Palette palette = indexed ? paletteOf(tiff, format.bits) : Palette();
  if (direct && indexed && palette.empty())
    return "is a palette TIFF without its colours; the file is damaged";
  const bool deep = direct && format.bits == 16 && depth == Depth::Sixteen;
  Raster raster(width, height, gray && (options.labels || !indexed) ? 1 : 3, deep ? 16 : 8);
  Placer placer(raster, format, palette, options.labels);
  const bool good = !direct             ? readConverted(tiff, raster)
                    : TIFFIsTiled(tiff) ? readTiles(tiff, format, placer, width, height)
                                        : readRows(tiff, format, placer, width, height);
  if (!good || !reader.valid())
    return reader.unreadable();
  if (options.labels)
    raster.palette = palette;
  return raster;
}

} // namespace segc::pictures

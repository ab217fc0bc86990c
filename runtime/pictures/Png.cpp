/// \file Png: libpng in and out of memory. libpng reports errors by longjmp, so the functions that call
/// setjmp hold nothing with a destructor; memory belongs to the objects around them.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Codec.h"
#include <csetjmp>
#include <cstring>
#include <png.h>

namespace segc::pictures {

namespace {

/// What the call-backs of one run share: the source or sink, and the text of an error.
struct Stream {
  const uint8_t *data = nullptr;
  size_t size = 0, at = 0;
  std::vector<uint8_t> *sink = nullptr;
  char message[160] = "";
};

[[noreturn]] void onError(png_structp png, png_const_charp text) {
  auto *stream = static_cast<Stream *>(png_get_error_ptr(png));
  snprintf(stream->message, sizeof stream->message, "%s", text);
  png_longjmp(png, 1);
}

// Warnings are about chunks that do not change the pixels.
void onWarning(png_structp, png_const_charp) {}

void onRead(png_structp png, png_bytep bytes, size_t count) {
  auto *stream = static_cast<Stream *>(png_get_io_ptr(png));
  if (count > stream->size - stream->at)
    png_error(png, "the file ends too early");
  memcpy(bytes, stream->data + stream->at, count);
  stream->at += count;
}

void onWrite(png_structp png, png_bytep bytes, size_t count) {
  auto *stream = static_cast<Stream *>(png_get_io_ptr(png));
  bool stored = true;
  try {
    stream->sink->insert(stream->sink->end(), bytes, bytes + count);
  } catch (const std::bad_alloc &) {
    stored = false;
  }
  if (!stored)
    png_error(png, "not enough memory");
}

void onFlush(png_structp) {}

class Reader {
public:
  explicit Reader(Stream &stream) : stream(stream) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream, onError, onWarning);
    info = png ? png_create_info_struct(png) : nullptr;
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  bool valid() const { return info != nullptr; }
  int64_t width() const { return png_get_image_width(png, info); }
  int64_t height() const { return png_get_image_height(png, info); }
  bool colour() const { return kind() == PNG_COLOR_TYPE_RGB || kind() == PNG_COLOR_TYPE_RGB_ALPHA; }
  bool deep() const { return png_get_bit_depth(png, info) == 16; }
  int channels() const { return png_get_channels(png, info); }
  size_t rowBytes() const { return png_get_rowbytes(png, info); }

  /// Everything before the pixels; takes no memory that grows with the picture.
  bool header() {
    if (setjmp(png_jmpbuf(png)))
      return false;
    png_set_read_fn(png, &stream, onRead);
    // The limit is our own (checkHeader), with a clearer message; chunks are limited here.
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 64);
    png_read_info(png, info);
    return true;
  }

  /// What the rows shall look like: 8 bits a channel, or 16 where the file and `keepDeep` say so; 1 channel
  /// or 3.
  bool transform(bool labels, bool keepDeep) {
    if (setjmp(png_jmpbuf(png)))
      return false;
    if (labels)
      png_set_packing(png); // 1, 2 or 4 bits become bytes with the same values
    else if (kind() == PNG_COLOR_TYPE_PALETTE)
      png_set_palette_to_rgb(png);
    else if (png_get_bit_depth(png, info) < 8)
      png_set_expand_gray_1_2_4_to_8(png);
    if (deep() && !keepDeep)
      png_set_scale_16(png);
    else if (deep() && littleEndian())
      png_set_swap(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }

  bool pixels(png_bytep *rows) {
    if (setjmp(png_jmpbuf(png)))
      return false;
    png_read_image(png, rows);
    png_read_end(png, nullptr);
    return true;
  }

  Palette palette() const {
    png_colorp colours = nullptr;
    int count = 0;
    Palette result;
    if (kind() == PNG_COLOR_TYPE_PALETTE && png_get_PLTE(png, info, &colours, &count))
      for (int i = 0; i < count; ++i)
        result.push_back({colours[i].red, colours[i].green, colours[i].blue});
    return result;
  }

private:
  int kind() const { return png_get_color_type(png, info); }
  static bool littleEndian() {
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
  }

  Stream &stream;
  png_structp png = nullptr;
  png_infop info = nullptr;
};

class Writer {
public:
  explicit Writer(Stream &stream) : stream(stream) {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, onError, onWarning);
    info = png ? png_create_info_struct(png) : nullptr;
  }
  ~Writer() { png_destroy_write_struct(&png, &info); }
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;

  bool valid() const { return info != nullptr; }

  bool write(const Picture &picture, const png_color *colours, png_bytep *rows) {
    if (setjmp(png_jmpbuf(png)))
      return false;
    png_set_write_fn(png, &stream, onWrite, onFlush);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    const int kind = picture.channels == 3 ? PNG_COLOR_TYPE_RGB
                     : colours             ? PNG_COLOR_TYPE_PALETTE
                                           : PNG_COLOR_TYPE_GRAY;
    png_set_IHDR(png, info, png_uint_32(picture.width), png_uint_32(picture.height), 8, kind,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind == PNG_COLOR_TYPE_PALETTE)
      png_set_PLTE(png, info, colours, int(picture.palette.size()));
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, info);
    return true;
  }

private:
  Stream &stream;
  png_structp png = nullptr;
  png_infop info = nullptr;
};

/// Where the rows of a Picture or Raster start. libpng does not write through them when encoding.
template <typename Pixels> std::vector<png_bytep> rowsOf(const Pixels &pixels) {
  const size_t stride = pixels.bytes.size() / size_t(pixels.height);
  std::vector<png_bytep> rows;
  rows.reserve(size_t(pixels.height));
  for (size_t y = 0; y < size_t(pixels.height); ++y)
    rows.push_back(const_cast<png_bytep>(pixels.bytes.data() + y * stride));
  return rows;
}

Failure unreadable(const Stream &stream) { return std::string("cannot be read as PNG: ") + stream.message; }

} // namespace

std::variant<Raster, Failure> decodePng(const uint8_t *data, size_t size, const ReadOptions &options,
                                        Depth depth) {
  Stream stream;
  stream.data = data;
  stream.size = size;
  Reader reader(stream);
  if (!reader.valid())
    return "there is not enough memory to read a PNG";
  if (!reader.header())
    return unreadable(stream);
  if (std::optional<Failure> failure = checkHeader(reader.width(), reader.height(), reader.colour(), options))
    return *failure;
  if (options.labels && reader.deep() && depth == Depth::Eight)
    return tooDeepForLabels();
  const bool deep = reader.deep() && depth == Depth::Sixteen;
  if (!reader.transform(options.labels, deep))
    return unreadable(stream);
  Raster picture(reader.width(), reader.height(), reader.channels(), deep ? 16 : 8);
  if (reader.rowBytes() * size_t(picture.height) != picture.bytes.size())
    return "has an unknown kind of pixels; convert it to 8 bits gray or RGB";
  if (options.labels)
    picture.palette = reader.palette();
  std::vector<png_bytep> rows = rowsOf(picture);
  if (!reader.pixels(rows.data()))
    return unreadable(stream);
  return picture;
}

std::variant<std::vector<uint8_t>, Failure> encodePng(const Picture &picture) {
  std::vector<png_color> colours;
  if (picture.channels == 1)
    for (const Colour &colour : picture.palette)
      colours.push_back({colour[0], colour[1], colour[2]});
  if (!colours.empty())
    for (uint8_t label : picture.bytes)
      if (label >= colours.size())
        return "label " + std::to_string(label) + " has no colour in a palette of " +
               std::to_string(colours.size());
  std::vector<uint8_t> bytes;
  Stream stream;
  stream.sink = &bytes;
  Writer writer(stream);
  std::vector<png_bytep> rows = rowsOf(picture);
  if (!writer.valid() || !writer.write(picture, colours.empty() ? nullptr : colours.data(), rows.data()))
    return std::string("cannot be encoded as PNG: ") +
           (*stream.message ? stream.message : "not enough memory");
  return bytes;
}

} // namespace segc::pictures

/// \file Jpeg: libjpeg-turbo from memory. Like libpng it leaves by longjmp, so the functions that call setjmp
/// hold nothing with a destructor.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Codec.h"
#include <csetjmp>
#include <cstdio>
#include <jerror.h> // after jpeglib.h, which it needs
#include <jpeglib.h>

namespace segc::pictures {

namespace {

/// A real progressive file has about ten scans; a hostile one of few bytes could ask for millions of passes.
constexpr int maxScans = 100;

class Reader {
public:
  Reader(const uint8_t *data, size_t size) : data(data), size(size) {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = onError;
    errors.emit_message = onMessage;
    progress.progress_monitor = onProgress;
    jpeg.client_data = this;
  }
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  bool header() {
    if (setjmp(escape))
      return false;
    jpeg_create_decompress(&jpeg);
    jpeg.progress = &progress;
    jpeg_mem_src(&jpeg, data, static_cast<unsigned long>(size));
    jpeg_read_header(&jpeg, TRUE);
    return true;
  }

  bool pixels(Raster &picture) {
    if (setjmp(escape))
      return false;
    jpeg.out_color_space = picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      JSAMPROW row = picture.bytes.data() + int64_t(jpeg.output_scanline) * picture.width * picture.channels;
      jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    return true;
  }

  int64_t width() const { return jpeg.image_width; }
  int64_t height() const { return jpeg.image_height; }
  bool gray() const { return jpeg.jpeg_color_space == JCS_GRAYSCALE; }
  bool printColours() const { return jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK; }
  Failure unreadable() const { return std::string("cannot be read as JPEG: ") + message; }

private:
  static Reader &self(j_common_ptr jpeg) { return *static_cast<Reader *>(jpeg->client_data); }

  [[noreturn]] static void onError(j_common_ptr jpeg) {
    Reader &reader = self(jpeg);
    jpeg->err->format_message(jpeg, reader.message);
    longjmp(reader.escape, 1);
  }

  /// libjpeg fills what is missing with gray and warns; a wrong picture is worse than none. Only the warnings
  /// that do not touch pixels are let through.
  static void onMessage(j_common_ptr jpeg, int level) {
    const int code = jpeg->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR &&
        code != JWRN_BOGUS_ICC)
      onError(jpeg);
  }

  static void onProgress(j_common_ptr jpeg) {
    Reader &reader = self(jpeg);
    if (reader.jpeg.input_scan_number <= maxScans)
      return;
    snprintf(reader.message, sizeof reader.message, "it has more than %d scans", maxScans);
    longjmp(reader.escape, 1);
  }

  const uint8_t *data;
  size_t size;
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX] = "";
};

} // namespace

std::variant<Raster, Failure> decodeJpeg(const uint8_t *data, size_t size, const ReadOptions &options) {
  Reader reader(data, size);
  if (!reader.header())
    return reader.unreadable();
  if (std::optional<Failure> failure = checkHeader(reader.width(), reader.height(), !reader.gray(), options))
    return *failure;
  if (options.labels)
    return "is a JPEG, whose compression changes class numbers; save the labels as a gray or palette PNG";
  if (reader.printColours())
    return "has the colours of print (CMYK); convert it to RGB";
  Raster picture(reader.width(), reader.height(), reader.gray() ? 1 : 3, 8);
  if (!reader.pixels(picture))
    return reader.unreadable();
  return picture;
}

} // namespace segc::pictures

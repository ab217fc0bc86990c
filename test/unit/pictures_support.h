/// \file What the picture tests need: files of kinds that segc reads but never writes.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <png.h>
#include <vector>

namespace segc::test {

using Bytes = std::vector<uint8_t>;

/// A PNG of `kind` (PNG_COLOR_TYPE_*) and `depth` bits, with `rows` as libpng wants them: packed below 8
/// bits, big endian at 16. A palette PNG gets entry i = (i, 2i, 3i).
inline Bytes makePng(uint32_t width, uint32_t height, int kind, int depth, bool interlaced,
                     const std::vector<Bytes> &rows) {
  Bytes result;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &result,
      [](png_structp p, png_bytep bytes, size_t count) {
        auto *sink = static_cast<Bytes *>(png_get_io_ptr(p));
        sink->insert(sink->end(), bytes, bytes + count);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, width, height, depth, kind, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (int i = 0; i < 1 << (depth < 8 ? depth : 6); ++i)
    palette.push_back({png_byte(i), png_byte(2 * i), png_byte(3 * i)});
  if (kind == PNG_COLOR_TYPE_PALETTE)
    png_set_PLTE(png, info, palette.data(), int(palette.size()));
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  for (const Bytes &row : rows)
    pointers.push_back(const_cast<png_bytep>(row.data()));
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return result;
}

/// A JPEG of quality 95; `components` samples a pixel: 1 gray, 3 RGB, 4 CMYK.
inline Bytes makeJpeg(int width, int height, int components, bool progressive, const Bytes &samples) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char *memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = JDIMENSION(width);
  jpeg.image_height = JDIMENSION(height);
  jpeg.input_components = components;
  jpeg.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (progressive)
    jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    auto *row =
        const_cast<JSAMPROW>(samples.data() + size_t(jpeg.next_scanline) * size_t(width * components));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  Bytes result(memory, memory + size);
  free(memory);
  return result;
}

} // namespace segc::test

/// \file Tests of TIFF files, of samples of 16 bits and of drawing onto pictures.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Canvas.h"
#include "runtime/pictures/File.h"
#include "test/unit/pictures_support.h"
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <tiffio.h>
#include <unistd.h>

using namespace segc::pictures;
using namespace segc::test;
namespace fs = std::filesystem;

namespace {

template <typename T> std::string failure(const std::variant<T, Failure> &result) {
  return result.index() == 0 ? "(no failure)" : std::get<Failure>(result);
}
bool contains(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

ReadOptions labels() {
  ReadOptions options;
  options.labels = true;
  return options;
}
std::variant<Raster, Failure> read(const Bytes &bytes, const ReadOptions &options = {}) {
  return readRaster(bytes.data(), bytes.size(), "it", options);
}

struct TiffKind {
  int bits = 8, samples = 1, photometric = PHOTOMETRIC_MINISBLACK, compression = COMPRESSION_NONE;
  bool tiled = false, separate = false, floats = false;
  int pages = 1;
};

/// Sample s of pixel (x, y) in the files below.
int valueAt(const TiffKind &kind, int x, int y, int s) {
  return (x * 5 + y * 3 + s * 7) % (1 << std::min(kind.bits, 6)) << (kind.bits == 16 ? 7 : 0);
}

/// A TIFF of 21 x 18 pixels; a palette one gets entry i = (i, 2i, 3i) in 16 bits.
Bytes makeTiff(const TiffKind &kind) {
  const std::string path =
      (fs::temp_directory_path() / ("segc-tiff-" + std::to_string(getpid()) + ".tif")).string();
  TIFF *tiff = TIFFOpen(path.c_str(), "w");
  for (int page = 0; page < kind.pages; ++page) {
    const int width = 21, height = 18;
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, kind.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, kind.samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, kind.photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, kind.compression);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, kind.separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (kind.floats)
      TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    std::vector<uint16_t> table[3];
    for (int c = 0; c < 3; ++c)
      for (int i = 0; i < 1 << std::min(kind.bits, 8); ++i)
        table[c].push_back(uint16_t((c + 1) * i % 256 << 8 | 7));
    if (kind.photometric == PHOTOMETRIC_PALETTE)
      TIFFSetField(tiff, TIFFTAG_COLORMAP, table[0].data(), table[1].data(), table[2].data());
    auto fill = [&](uint8_t *row, int left, int y, int columns, int plane) {
      const int samples = kind.separate ? 1 : kind.samples;
      for (int i = 0; i < columns * samples; ++i) {
        const int v = valueAt(kind, left + i / samples, y, kind.separate ? plane : i % samples);
        if (kind.bits == 16)
          reinterpret_cast<uint16_t *>(row)[i] = uint16_t(v);
        else if (kind.bits < 16)
          row[i * kind.bits / 8] |= uint8_t(v << (8 - kind.bits - i * kind.bits % 8));
      }
    };
    if (kind.tiled) {
      TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
      TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
      for (int top = 0; top < height; top += 16)
        for (int left = 0; left < width; left += 16) {
          Bytes tile(size_t(TIFFTileSize(tiff)));
          for (int y = 0; y < 16; ++y)
            fill(tile.data() + y * TIFFTileRowSize(tiff), left, top + y, 16, 0);
          TIFFWriteTile(tiff, tile.data(), uint32_t(left), uint32_t(top), 0, 0);
        }
    } else {
      TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 5);
      for (int plane = 0; plane < (kind.separate ? kind.samples : 1); ++plane)
        for (int y = 0; y < height; ++y) {
          Bytes row(size_t(TIFFScanlineSize(tiff)));
          fill(row.data(), 0, y, width, plane);
          TIFFWriteScanline(tiff, row.data(), uint32_t(y), uint16_t(plane));
        }
    }
    TIFFWriteDirectory(tiff);
  }
  TIFFClose(tiff);
  std::ifstream file(path, std::ios::binary);
  Bytes bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  fs::remove(path);
  return bytes;
}

std::vector<TiffKind> kinds() {
  std::vector<TiffKind> result;
  for (int bits : {1, 2, 4, 8, 16})
    for (int photometric : {PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_MINISWHITE, PHOTOMETRIC_PALETTE})
      if (bits < 16 || photometric != PHOTOMETRIC_PALETTE)
        result.push_back({bits, 1, photometric});
  for (int bits : {8, 16})
    for (int samples : {3, 4})
      for (int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE})
        result.push_back({bits, samples, PHOTOMETRIC_RGB, compression});
  result.push_back({8, 1, PHOTOMETRIC_MINISBLACK, COMPRESSION_LZW, true});
  result.push_back({16, 3, PHOTOMETRIC_RGB, COMPRESSION_NONE, true});
  result.push_back({8, 3, PHOTOMETRIC_RGB, COMPRESSION_NONE, false, true});
  return result;
}

TEST(PictureTiff, EveryKind) {
  for (const TiffKind &kind : kinds()) {
    SCOPED_TRACE(testing::Message() << "bits " << kind.bits << " samples " << kind.samples << " photometric "
                                    << kind.photometric << " compression " << kind.compression << " tiled "
                                    << kind.tiled);
    const Bytes bytes = makeTiff(kind);
    const auto result = read(bytes);
    ASSERT_EQ(result.index(), 0u) << failure(result);
    const auto &raster = std::get<Raster>(result);
    const bool palette = kind.photometric == PHOTOMETRIC_PALETTE, colour = kind.samples > 1;
    ASSERT_EQ(raster.channels, palette || colour ? 3 : 1);
    ASSERT_EQ(raster.bits, kind.bits == 16 ? 16 : 8);
    ASSERT_EQ(raster.width, 21);
    ASSERT_EQ(raster.height, 18);
    const auto few = readPicture(bytes.data(), bytes.size(), "it");
    ASSERT_EQ(few.index(), 0u) << failure(few);
    const int full = (1 << kind.bits) - 1;
    for (int y = 0; y < 18; ++y)
      for (int x = 0; x < 21; ++x)
        for (int c = 0; c < raster.channels; ++c) {
          const int v = valueAt(kind, x, y, palette ? 0 : c);
          const int light = kind.photometric == PHOTOMETRIC_MINISWHITE ? full - v : v;
          const int wanted = palette ? (c + 1) * v % 256 : kind.bits == 16 ? light : light * 255 / full;
          ASSERT_EQ(raster.sample((y * 21 + x) * raster.channels + c), wanted) << x << ", " << y << ", " << c;
          const int eight = kind.bits == 16 ? (light * 255 + 32767) / 65535 : wanted;
          ASSERT_EQ(std::get<Picture>(few).at(x, y)[c], eight);
        }
    const auto numbers = read(bytes, labels());
    ASSERT_EQ(numbers.index() == 0, !colour) << failure(numbers);
    if (!colour) {
      EXPECT_EQ(std::get<Raster>(numbers).sample(17 * 21 + 20), valueAt(kind, 20, 17, 0));
      EXPECT_EQ(std::get<Raster>(numbers).palette.size(), palette ? size_t(1) << kind.bits : 0u);
    }
  }
}

TEST(PictureTiff, WhatIsNotRead) {
  TiffKind stack;
  stack.pages = 3;
  EXPECT_TRUE(contains(failure(read(makeTiff(stack))), "holds 3 pictures; split the stack"));
  TiffKind floats{32, 1};
  floats.floats = true;
  EXPECT_TRUE(contains(failure(read(makeTiff(floats))), "convert it to 16 bits"))
      << failure(read(makeTiff(floats)));
  const Bytes deep = makeTiff({16, 1});
  EXPECT_TRUE(contains(failure(readPicture(deep.data(), deep.size(), "it", labels())), "has 16 bits where"));
  ReadOptions few;
  few.maxPixels = 21 * 18 - 1;
  EXPECT_TRUE(contains(failure(read(deep, few)), "announces 21 x 18 pixels"));
}

TEST(PictureTiff, TruncatedAndDamaged) {
  std::mt19937 random(1);
  int accepted = 0;
  const int rounds = getenv("SEGC_LONG") ? 20000 : 300;
  for (const TiffKind &kind : kinds()) {
    const Bytes whole = makeTiff(kind);
    for (size_t length = 0; length < whole.size(); length += 1 + length / 40) {
      const auto result = read(Bytes(whole.begin(), whole.begin() + ptrdiff_t(length)));
      ASSERT_EQ(result.index(), 1u) << length << " of " << whole.size() << " bytes; " << kind.bits
                                    << " bits, photometric " << kind.photometric << ", compression "
                                    << kind.compression;
    }
    for (int round = 0; round < rounds; ++round) {
      Bytes damaged = whole;
      for (unsigned n = 1 + random() % 4; n > 0; --n)
        damaged[random() % 4 ? damaged.size() - 1 - random() % std::min<size_t>(200, damaged.size())
                             : random() % damaged.size()] = uint8_t(random());
      ReadOptions options = round % 2 ? labels() : ReadOptions();
      options.maxPixels = 1 << 16;
      const auto result = read(damaged, options);
      if (result.index() == 0) {
        const auto &raster = std::get<Raster>(result);
        ASSERT_EQ(int64_t(raster.bytes.size()), raster.samples() * raster.bits / 8);
        ++accepted;
      }
    }
  }
  EXPECT_GT(accepted, 0);
}

/// PNG and PGM keep 16 bits; labels may have them.
TEST(PictureRaster, SixteenBits) {
  std::vector<Bytes> rows = {{0x12, 0x34, 0xff, 0xff}, {0x00, 0x01, 0x80, 0x00}};
  const std::vector<uint16_t> wanted = {0x1234, 0xffff, 1, 0x8000};
  Bytes pgm = {'P', '5', ' ', '2', ' ', '2', ' ', '6', '5', '5', '3', '5', '\n'};
  for (const Bytes &row : rows)
    pgm.insert(pgm.end(), row.begin(), row.end());
  for (const Bytes &file : {makePng(2, 2, PNG_COLOR_TYPE_GRAY, 16, false, rows), pgm})
    for (const ReadOptions &options : {ReadOptions(), labels()}) {
      const auto result = read(file, options);
      ASSERT_EQ(result.index(), 0u) << failure(result);
      const auto &raster = std::get<Raster>(result);
      ASSERT_EQ(raster.bits, 16);
      for (int64_t i = 0; i < 4; ++i)
        EXPECT_EQ(raster.sample(i), wanted[size_t(i)]);
    }
  const auto raster = std::get<Raster>(read(pgm));
  EXPECT_EQ(std::get<Planes>(toPlanes(raster, 1)).values[1], 1.0f);
  EXPECT_EQ(std::get<Planes>(toPlanes(raster, 3, 4096)).row(2, 1)[1], 8.0f);
  EXPECT_EQ(toPlanes(raster, 2).index(), 1u);
  // A picture of 8 bits stays one.
  EXPECT_EQ(std::get<Raster>(read(makePng(1, 1, PNG_COLOR_TYPE_RGB, 8, false, {{1, 2, 3}}))).bits, 8);
}

TEST(PictureCanvas, TextRectanglesAndSheets) {
  Picture page(20, 10, 3);
  drawText(page, 1, 1, "I!", {9, 8, 7});
  // An I: a bar of seven pixels with serifs.
  for (int y = 1; y <= 7; ++y)
    EXPECT_EQ(page.at(3, y)[0], 9) << y;
  EXPECT_EQ(page.at(2, 1)[1], 8);
  EXPECT_EQ(page.at(2, 3)[1], 0);
  EXPECT_EQ(page.at(9, 6)[0], 0); // the gap in the exclamation mark
  EXPECT_EQ(page.at(9, 7)[2], 7);
  fillRectangle(page, -5, -5, 6, 6, {1, 1, 1});
  EXPECT_EQ(page.at(0, 0)[0], 1);
  EXPECT_EQ(page.at(1, 1)[0], 0);
  drawText(page, 18, 8, "\xc3W", {1, 1, 1}); // off the edge and not ASCII: no crash

  Picture gray(4, 3, 1), red(2, 2, 3);
  gray.bytes.assign(12, 50);
  fillRectangle(red, 0, 0, 2, 2, {255, 0, 0});
  const auto sheet = contactSheet({{gray, ""}, {red, ""}, {red, ""}}, 2);
  ASSERT_EQ(sheet.index(), 0u);
  const auto &picture = std::get<Picture>(sheet);
  EXPECT_EQ(picture.width, 2 * 10 + 6);
  EXPECT_EQ(picture.height, 2 * 9 + 6);
  EXPECT_EQ(picture.at(6, 6)[2], 50);
  EXPECT_EQ(picture.at(16, 6)[0], 255);
  EXPECT_EQ(picture.at(16, 6)[1], 0);
  EXPECT_EQ(picture.at(6, 15)[0], 255);
  EXPECT_EQ(contactSheet({}, 2).index(), 1u);
  EXPECT_EQ(contactSheet({{gray, ""}}, 0).index(), 1u);
  const auto named = std::get<Picture>(contactSheet({{Picture(40, 2, 1), "a long caption"}}, 1));
  EXPECT_EQ(named.height, 2 + 12 + 11);
}

} // namespace

/// \file Tests of picture files: every kind that is read, what is written, and what a hostile file can do
/// (nothing).
// SPDX-License-Identifier: MIT
#include "runtime/pictures/File.h"
#include "test/unit/pictures_support.h"
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

using namespace segc::pictures;
using namespace segc::test;
namespace fs = std::filesystem;

namespace {

template <typename T> bool good(const std::variant<T, Failure> &result) { return result.index() == 0; }
template <typename T> std::string failure(const std::variant<T, Failure> &result) {
  return good(result) ? "(no failure)" : std::get<Failure>(result);
}
std::variant<Picture, Failure> read(const Bytes &bytes, const ReadOptions &options = {}) {
  return readPicture(bytes.data(), bytes.size(), "it", options);
}
bool contains(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

/// A picture in which every byte differs from its neighbours, in a way the tests can compute.
Picture pattern(int64_t width, int64_t height, int channels) {
  Picture picture(width, height, channels);
  for (size_t i = 0; i < picture.bytes.size(); ++i)
    picture.bytes[i] = uint8_t(i * 37 + i / 7);
  return picture;
}

/// Smooth, so that JPEG keeps it nearly.
Bytes ramp(int width, int height, int components) {
  Bytes samples;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < components; ++c)
        samples.push_back(uint8_t(40 + 3 * x + 2 * y + 20 * c));
  return samples;
}

/// A folder of its own for each test, gone afterwards.
class PictureFiles : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("segc-pictures-" + std::to_string(getpid()));
    fs::create_directory(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string path(const char *name) const { return (folder / name).string(); }
  fs::path folder;
};

TEST_F(PictureFiles, RoundTrips) {
  for (int channels : {1, 3})
    for (const char *name : {"a.png", channels == 1 ? "a.pgm" : "a.ppm"}) {
      const Picture picture = pattern(13, 7, channels);
      ASSERT_EQ(writePicture(path(name), picture), std::nullopt);
      const auto back = readPicture(path(name));
      ASSERT_TRUE(good(back)) << failure(back);
      EXPECT_EQ(std::get<Picture>(back).width, 13);
      EXPECT_EQ(std::get<Picture>(back).height, 7);
      EXPECT_EQ(std::get<Picture>(back).channels, channels);
      EXPECT_EQ(std::get<Picture>(back).bytes, picture.bytes);
    }
}

TEST_F(PictureFiles, PaletteKeepsLabels) {
  Picture labels(3, 2, 1);
  labels.bytes = {0, 1, 2, 2, 1, 0};
  labels.palette = {{0, 0, 0}, {128, 0, 0}, {0, 200, 9}};
  ASSERT_EQ(writePicture(path("m.png"), labels), std::nullopt);
  ReadOptions options;
  options.labels = true;
  const auto back = readPicture(path("m.png"), options);
  ASSERT_TRUE(good(back)) << failure(back);
  EXPECT_EQ(std::get<Picture>(back).bytes, labels.bytes);
  EXPECT_EQ(std::get<Picture>(back).palette, labels.palette);
  const auto colours = readPicture(path("m.png"));
  ASSERT_TRUE(good(colours)) << failure(colours);
  EXPECT_EQ(std::get<Picture>(colours).channels, 3);
  EXPECT_EQ(std::get<Picture>(colours).at(2, 0)[1], 200);

  labels.bytes[3] = 3;
  const auto refused = writePicture(path("n.png"), labels);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(contains(*refused, "label 3 has no colour in a palette of 3")) << *refused;
  EXPECT_FALSE(fs::exists(path("n.png")));
}

/// Every kind that the format allows, interlaced or not, with known values.
TEST(PicturePng, EveryKind) {
  struct Case {
    int kind, depth, samples;
  };
  const Case cases[] = {
      {PNG_COLOR_TYPE_GRAY, 1, 1},        {PNG_COLOR_TYPE_GRAY, 2, 1},      {PNG_COLOR_TYPE_GRAY, 4, 1},
      {PNG_COLOR_TYPE_GRAY, 8, 1},        {PNG_COLOR_TYPE_GRAY, 16, 1},     {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 2},
      {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 2}, {PNG_COLOR_TYPE_PALETTE, 1, 1},   {PNG_COLOR_TYPE_PALETTE, 4, 1},
      {PNG_COLOR_TYPE_PALETTE, 8, 1},     {PNG_COLOR_TYPE_RGB, 8, 3},       {PNG_COLOR_TYPE_RGB, 16, 3},
      {PNG_COLOR_TYPE_RGB_ALPHA, 8, 4},   {PNG_COLOR_TYPE_RGB_ALPHA, 16, 4}};
  for (const Case &c : cases)
    for (bool interlaced : {false, true}) {
      SCOPED_TRACE(testing::Message()
                   << "kind " << c.kind << " depth " << c.depth << " interlaced " << interlaced);
      auto value = [&](int x, int y, int s) { return (x + y + s) % (c.depth < 8 ? 1 << c.depth : 64); };
      std::vector<Bytes> rows;
      for (int y = 0; y < 5; ++y) {
        Bytes row(size_t((9 * c.samples * c.depth + 7) / 8));
        for (int i = 0; i < 9 * c.samples; ++i) {
          const int v = value(i / c.samples, y, i % c.samples);
          if (c.depth == 16)
            row[2 * i] = row[2 * i + 1] = uint8_t(v); // 257 v of 65535 is v of 255
          else
            row[i * c.depth / 8] |= uint8_t(v << (8 - c.depth - i * c.depth % 8));
        }
        rows.push_back(row);
      }
      const auto result = read(makePng(9, 5, c.kind, c.depth, interlaced, rows));
      ASSERT_TRUE(good(result)) << failure(result);
      const auto &picture = std::get<Picture>(result);
      const bool palette = c.kind == PNG_COLOR_TYPE_PALETTE;
      ASSERT_EQ(picture.channels, palette || c.samples >= 3 ? 3 : 1);
      for (int y = 0; y < 5; ++y)
        for (int x = 0; x < 9; ++x)
          for (int s = 0; s < picture.channels; ++s) {
            const int v = value(x, y, palette ? 0 : s);
            const int wanted = palette ? v * (s + 1) : c.depth < 8 ? v * 255 / ((1 << c.depth) - 1) : v;
            ASSERT_EQ(picture.at(x, y)[s], wanted) << x << ", " << y << ", " << s;
          }
      ReadOptions options;
      options.labels = true;
      const auto labels = read(makePng(9, 5, c.kind, c.depth, interlaced, rows), options);
      ASSERT_EQ(good(labels), c.samples < 3 && c.depth < 16) << failure(labels);
      if (good(labels)) {
        EXPECT_EQ(*std::get<Picture>(labels).at(8, 4), value(8, 4, 0));
      }
    }
}

TEST(PictureJpeg, GrayColourProgressive) {
  for (int components : {1, 3})
    for (bool progressive : {false, true}) {
      const Bytes samples = ramp(33, 17, components);
      const auto result = read(makeJpeg(33, 17, components, progressive, samples));
      ASSERT_TRUE(good(result)) << failure(result);
      const auto &picture = std::get<Picture>(result);
      ASSERT_EQ(picture.channels, components);
      ASSERT_EQ(picture.bytes.size(), samples.size());
      for (size_t i = 0; i < samples.size(); ++i)
        ASSERT_NEAR(picture.bytes[i], samples[i], 6) << i;
    }
  EXPECT_TRUE(contains(failure(read(makeJpeg(9, 9, 4, false, ramp(9, 9, 4)))), "CMYK"));
  ReadOptions options;
  options.labels = true;
  EXPECT_TRUE(contains(failure(read(makeJpeg(9, 9, 1, false, ramp(9, 9, 1)), options)), "is a JPEG"));
}

TEST(PicturePnm, TextCommentsAndMaxima) {
  const std::string texts[] = {"P2\n# a comment\n3 1\n15\n0 7 15\n", "P2 3 1 15 0 7 15"};
  for (const std::string &text : texts) {
    const auto result = read(Bytes(text.begin(), text.end()));
    ASSERT_TRUE(good(result)) << failure(result);
    EXPECT_EQ(std::get<Picture>(result).bytes, (Bytes{0, 119, 255}));
  }
  const Bytes deep = {'P', '5', '\n', '2',  ' ',  '1',  '\n', '6', '5',
                      '5', '3', '5',  '\n', 0xff, 0xff, 0x80, 0x80};
  const auto result = read(deep);
  ASSERT_TRUE(good(result)) << failure(result);
  EXPECT_EQ(std::get<Picture>(result).bytes, (Bytes{255, 128}));
  for (const char *bad : {"P5", "P5 3", "P5 3 3 0 xxxxxxxxx", "P5 3 3 70000 ", "P5 -3 3 255 ",
                          "P2 2 1 9 4 10", "P5 99999999999999999999 1 255 ", "P1 1 1 0", "P7 ", "P5 #"})
    EXPECT_FALSE(good(read(Bytes(bad, bad + strlen(bad))))) << bad;
}

/// One small file of each kind of decoder.
std::vector<Bytes> samples() {
  const Picture rgb = pattern(9, 8, 3);
  std::vector<Bytes> rows, indices;
  for (int y = 0; y < 8; ++y) {
    rows.emplace_back(rgb.at(0, y), rgb.at(0, y) + 27);
    indices.emplace_back(9, uint8_t(y));
  }
  Bytes pnm = {'P', '6', ' ', '9', ' ', '8', ' ', '2', '5', '5', '\n'};
  pnm.insert(pnm.end(), rgb.bytes.begin(), rgb.bytes.end());
  return {makePng(9, 8, PNG_COLOR_TYPE_RGB, 8, false, rows),
          makePng(9, 8, PNG_COLOR_TYPE_RGB, 8, true, rows),
          makePng(9, 8, PNG_COLOR_TYPE_PALETTE, 8, false, indices),
          makeJpeg(9, 8, 3, false, ramp(9, 8, 3)),
          makeJpeg(33, 17, 1, true, ramp(33, 17, 1)),
          pnm};
}

TEST(PictureHostile, TruncatedAtEveryLength) {
  for (const Bytes &whole : samples()) {
    for (size_t length = 0; length < whole.size(); ++length) {
      const Bytes part(whole.begin(),
                       whole.begin() + ptrdiff_t(length)); // own memory, so sanitizers see its end
      const auto result = read(part);
      ASSERT_FALSE(good(result)) << length << " of " << whole.size() << " bytes";
      ASSERT_EQ(failure(result).rfind("it: ", 0), 0u) << failure(result);
    }
  }
}

/// Four bytes, highest first, at `at`.
void put32(Bytes &bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes[at + i] = uint8_t(value >> (24 - 8 * i));
}

/// Makes the check sums of a PNG's chunks (length, name, data, CRC) right again, as far as its lengths lead.
void repairPng(Bytes &png) {
  for (size_t at = 8; at + 12 <= png.size();) {
    const size_t length = size_t(png[at]) << 24 | png[at + 1] << 16 | png[at + 2] << 8 | png[at + 3];
    if (length > png.size() - at - 12)
      return;
    put32(png, at + 8 + length, uint32_t(crc32(0, png.data() + at + 4, uInt(length + 4))));
    at += 12 + length;
  }
}

TEST(PictureHostile, DamagedBytesNeverCrash) {
  std::mt19937 random(1);
  const int rounds = getenv("SEGC_LONG") ? 20000 : 500;
  int accepted = 0;
  for (const Bytes &whole : samples())
    for (int round = 0; round < rounds; ++round) {
      Bytes damaged = whole;
      for (unsigned n = 1 + random() % 4; n > 0; --n)
        damaged[random() % damaged.size()] = uint8_t(random());
      if (whole[0] == 0x89 && round % 4)
        repairPng(damaged); // so that the damage gets past libpng's check sums
      ReadOptions options;
      options.maxPixels = 1 << 16;
      options.labels = round % 2;
      const auto result = read(damaged, options);
      if (good(result)) {
        const auto &picture = std::get<Picture>(result);
        ASSERT_EQ(picture.bytes.size(), size_t(picture.width * picture.height * picture.channels));
        ++accepted;
      }
    }
  EXPECT_GT(accepted, 0); // else the damage is so great that nothing past the headers is tried
}

TEST(PictureHostile, GiantHeadersAreRefused) {
  Bytes png = samples()[0];
  put32(png, 16, 65535); // IHDR: width, then height
  put32(png, 20, 65535);
  repairPng(png);
  EXPECT_TRUE(contains(failure(read(png)), "announces 65535 x 65535 pixels, the limit is 268435456"))
      << failure(read(png));

  Bytes jpeg = samples()[3];
  const uint8_t start[] = {0xff, 0xc0};
  const auto frame = std::search(jpeg.begin(), jpeg.end(), start, start + 2) - jpeg.begin();
  jpeg[frame + 5] = jpeg[frame + 7] = 0xfd;
  EXPECT_TRUE(contains(failure(read(jpeg)), "pixels, the limit is 268435456")) << failure(read(jpeg));
  jpeg[frame + 5] = jpeg[frame + 6] = jpeg[frame + 7] = jpeg[frame + 8] = 0xff;
  EXPECT_FALSE(good(read(jpeg)));

  const std::string pnm = "P6 65535 65535 255\n";
  EXPECT_TRUE(contains(failure(read(Bytes(pnm.begin(), pnm.end()))), "65535 x 65535"));
  ReadOptions all;
  all.maxPixels = INT64_MAX;
  EXPECT_TRUE(contains(failure(read(Bytes(pnm.begin(), pnm.end()), all)), "ends too early"));

  ReadOptions exact;
  exact.maxPixels = 72;
  EXPECT_TRUE(good(read(samples()[0], exact)));
  exact.maxPixels = 71;
  EXPECT_FALSE(good(read(samples()[0], exact)));
}

TEST_F(PictureFiles, WhatCannotBeReadIsNamed) {
  EXPECT_TRUE(contains(failure(readPicture(path("none.png"))), "none.png: cannot be opened: No such file"));
  EXPECT_TRUE(contains(failure(readPicture(folder.string())), "not a regular file"));
  EXPECT_TRUE(contains(failure(read({})), "is empty"));
  const std::string text = "hello, this is text";
  EXPECT_TRUE(contains(failure(read(Bytes(text.begin(), text.end()))), "not a picture that can be read"));
}

TEST_F(PictureFiles, WritesAreWholeOrNot) {
  const Picture picture = pattern(4, 4, 3);
  EXPECT_TRUE(contains(writePicture(path("no/folder.png"), picture).value_or(""), "cannot be written"));
  EXPECT_TRUE(contains(writePicture(path("a.jpg"), picture).value_or(""), "name a .png"));
  EXPECT_TRUE(contains(writePicture(path("a.pgm"), picture).value_or(""), "belongs into a .ppm"));
  EXPECT_TRUE(fs::is_empty(folder)) << "a failed write left something behind";

  // A pipe stands for every special file: a test that goes wrong must not replace one of the machine's.
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(contains(writePicture(path("pipe"), picture).value_or(""), "not a regular file"));
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
  EXPECT_TRUE(contains(failure(readPicture(path("pipe"))), "not a regular file"));

  ASSERT_EQ(writePicture(path("a.png"), picture), std::nullopt);
  fs::create_symlink("a.png", path("link.png"));
  ASSERT_EQ(writePicture(path("link.png"), pattern(2, 2, 3)), std::nullopt);
  EXPECT_TRUE(fs::is_symlink(path("link.png")));
  EXPECT_EQ(std::get<Picture>(readPicture(path("a.png"))).width, 2);
}

} // namespace

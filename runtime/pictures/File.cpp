/// \file File: whole files in and out, and which decoder takes one.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/File.h"
#include "runtime/files/WriteWhole.h"
#include "runtime/pictures/Codec.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

namespace segc::pictures {

namespace {

/// A compressed picture within the pixel limit is smaller than this; it bounds what is read of a wrong file.
constexpr int64_t maxFileBytes = int64_t(1) << 32;

std::variant<std::vector<uint8_t>, Failure> readWhole(const std::string &path) {
  // Without O_NONBLOCK the opening of a pipe would wait for its writer.
  const int descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  auto close = [](FILE *f) { fclose(f); };
  std::unique_ptr<FILE, void (*)(FILE *)> file(descriptor < 0 ? nullptr : fdopen(descriptor, "rb"), close);
  struct stat info;
  if (!file || fstat(fileno(file.get()), &info) != 0)
    return std::string("cannot be opened: ") + strerror(errno);
  if (!S_ISREG(info.st_mode))
    return "is not a regular file; name a picture file";
  if (info.st_size > maxFileBytes)
    return "has " + std::to_string(info.st_size) + " bytes; pictures of at most " +
           std::to_string(maxFileBytes) + " bytes are read";
  std::vector<uint8_t> bytes(size_t(info.st_size));
  if (!bytes.empty() && fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size())
    return std::string("cannot be read: ") +
           (ferror(file.get()) ? strerror(errno) : "it became shorter meanwhile");
  return bytes;
}

std::variant<Raster, Failure> decode(const uint8_t *data, size_t size, const ReadOptions &options,
                                     Depth depth) {
  auto startsWith = [&](const char *magic, size_t length) {
    return size >= length && memcmp(data, magic, length) == 0;
  };
  if (startsWith("\x89PNG\r\n\x1a\n", 8))
    return decodePng(data, size, options, depth);
  if (startsWith("\xff\xd8\xff", 3))
    return decodeJpeg(data, size, options);
  if (startsWith("II*\0", 4) || startsWith("MM\0*", 4) || startsWith("II+\0", 4) || startsWith("MM\0+", 4))
    return decodeTiff(data, size, options, depth);
  if (size >= 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7')
    return decodePnm(data, size, options, depth);
  return size == 0 ? "is empty; a PNG, JPEG, TIFF, PGM or PPM is wanted"
                   : "is not a picture that can be read; convert it to PNG, JPEG, TIFF, PGM or PPM";
}

/// The decoded bytes under the name of their file, with what went wrong in words.
std::variant<Raster, Failure> readNamed(const uint8_t *data, size_t size, const std::string &name,
                                        const ReadOptions &options, Depth depth) try {
  std::variant<Raster, Failure> result = decode(data, size, options, depth);
  if (Failure *failure = std::get_if<Failure>(&result))
    return name + ": " + *failure;
  return result;
} catch (const std::bad_alloc &) {
  return name + ": there is not enough memory for this picture; cut it into tiles";
}

std::variant<Raster, Failure> readFile(const std::string &path, const ReadOptions &options, Depth depth) try {
  std::variant<std::vector<uint8_t>, Failure> bytes = readWhole(path);
  if (Failure *failure = std::get_if<Failure>(&bytes))
    return path + ": " + *failure;
  const auto &data = std::get<std::vector<uint8_t>>(bytes);
  return readNamed(data.data(), data.size(), path, options, depth);
} catch (const std::bad_alloc &) {
  return path + ": there is not enough memory for this file";
}

/// A raster of 8 bits as a picture.
std::variant<Picture, Failure> toBytes(std::variant<Raster, Failure> result) {
  if (Failure *failure = std::get_if<Failure>(&result))
    return std::move(*failure);
  Raster &raster = std::get<Raster>(result);
  Picture picture;
  picture.width = raster.width;
  picture.height = raster.height;
  picture.channels = raster.channels;
  picture.bytes = std::move(raster.bytes);
  picture.palette = std::move(raster.palette);
  return picture;
}

bool endsWith(const std::string &text, const char *end) {
  const size_t length = strlen(end);
  return text.size() >= length && text.compare(text.size() - length, length, end) == 0;
}

} // namespace

std::optional<Failure> checkHeader(int64_t width, int64_t height, bool colour, const ReadOptions &options) {
  const std::string extent = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width <= 0 || height <= 0)
    return "its header announces " + extent + "; the file is damaged";
  if (width > options.maxPixels / height)
    return "its header announces " + extent + ", the limit is " + std::to_string(options.maxPixels) +
           " pixels in all; raise the limit or cut the picture into tiles";
  if (options.labels && colour)
    return "has colours where class numbers are wanted; save the labels as a gray or palette PNG of 8 bits";
  return std::nullopt;
}

Failure tooDeepForLabels() {
  return "has 16 bits where class numbers of 8 bits are wanted; save the labels with 8 bits";
}

std::variant<Picture, Failure> readPicture(const uint8_t *data, size_t size, const std::string &name,
                                           const ReadOptions &options) {
  return toBytes(readNamed(data, size, name, options, Depth::Eight));
}

std::variant<Picture, Failure> readPicture(const std::string &path, const ReadOptions &options) {
  return toBytes(readFile(path, options, Depth::Eight));
}

std::variant<Raster, Failure> readRaster(const uint8_t *data, size_t size, const std::string &name,
                                         const ReadOptions &options) {
  return readNamed(data, size, name, options, Depth::Sixteen);
}

std::variant<Raster, Failure> readRaster(const std::string &path, const ReadOptions &options) {
  return readFile(path, options, Depth::Sixteen);
}

std::optional<Failure> writePicture(const std::string &path, const Picture &picture) try {
  if (endsWith(path, ".jpg") || endsWith(path, ".jpeg"))
    return path + ": JPEG files are read but not written, they would blur class borders; name a .png";
  if (endsWith(path, ".pgm") || endsWith(path, ".ppm")) {
    if ((picture.channels == 3) != endsWith(path, ".ppm"))
      return path + ": a picture with " + std::to_string(picture.channels) + " channels belongs into a ." +
             (picture.channels == 3 ? "ppm" : "pgm");
    const std::vector<uint8_t> bytes = encodePnm(picture);
    return files::writeWhole(path, bytes.data(), bytes.size());
  }
  std::variant<std::vector<uint8_t>, Failure> encoded = encodePng(picture);
  if (Failure *failure = std::get_if<Failure>(&encoded))
    return path + ": " + *failure;
  const auto &bytes = std::get<std::vector<uint8_t>>(encoded);
  return files::writeWhole(path, bytes.data(), bytes.size());
} catch (const std::bad_alloc &) {
  return path + ": there is not enough memory to write this picture";
}

} // namespace segc::pictures

/// \file File: reading and writing picture files of any known format; what a file says is not trusted.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Picture.h"

namespace segc::pictures {

struct ReadOptions {
  /// A file whose header announces more pixels is refused before memory is taken for them.
  int64_t maxPixels = int64_t(1) << 28;
  /// Reads class numbers instead of colours: palette indices and gray values stay as the file has them, the
  /// palette is kept, files with colours are refused.
  bool labels = false;
};

/// Reads a PNG (any kind; 16 bits are rounded to 8, alpha is dropped), a JPEG (8 bits, gray or colour), a
/// PGM/PPM (P2, P3, P5, P6) or a TIFF of one page (1 to 16 bits, gray, palette or colour; no floats).
/// Orientation tags are not applied. The format is known by the first bytes, not by the name. Truncated and
/// damaged files fail. Never throws; messages start with the path.
std::variant<Picture, Failure> readPicture(const std::string &path, const ReadOptions &options = {});

/// The same from memory; `name` stands for the file in messages.
std::variant<Picture, Failure> readPicture(const uint8_t *data, size_t size, const std::string &name,
                                           const ReadOptions &options = {});

/// The same files with samples of 16 bits where the file has more than 8. Labels may then have 16 bits too.
std::variant<Raster, Failure> readRaster(const std::string &path, const ReadOptions &options = {});
std::variant<Raster, Failure> readRaster(const uint8_t *data, size_t size, const std::string &name,
                                         const ReadOptions &options = {});

/// Writes a PNG, or a PGM/PPM where the name ends so. One channel with a palette becomes a palette PNG whose
/// indices are the labels; a label past the palette is an error. Files appear whole or not at all.
std::optional<Failure> writePicture(const std::string &path, const Picture &picture);

} // namespace segc::pictures

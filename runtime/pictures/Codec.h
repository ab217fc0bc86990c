/// \file Codec: what each file format offers to File.cpp; messages come without the file's name.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/File.h"

namespace segc::pictures {

/// Refuses extents that are not positive or hold more than options.maxPixels pixels, and colours where labels
/// are wanted: what every decoder asks between reading the header and taking memory.
std::optional<Failure> checkHeader(int64_t width, int64_t height, bool colour, const ReadOptions &options);

std::variant<Picture, Failure> decodePng(const uint8_t *data, size_t size, const ReadOptions &options);
std::variant<Picture, Failure> decodeJpeg(const uint8_t *data, size_t size, const ReadOptions &options);
std::variant<Picture, Failure> decodePnm(const uint8_t *data, size_t size, const ReadOptions &options);

std::variant<std::vector<uint8_t>, Failure> encodePng(const Picture &picture);
std::vector<uint8_t> encodePnm(const Picture &picture);

} // namespace segc::pictures

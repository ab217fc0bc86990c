/// \file Codec: what each file format offers to File.cpp; messages come without the file's name.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/File.h"

namespace segc::pictures {

/// Refuses extents that are not positive or hold more than options.maxPixels pixels, and colours where labels
/// are wanted: what every decoder asks between reading the header and taking memory.
std::optional<Failure> checkHeader(int64_t width, int64_t height, bool colour, const ReadOptions &options);

/// How deep the samples of the result may be: a decoder brings deeper ones of pictures to 8 bits, and refuses
/// deeper labels with the sentence below.
enum class Depth { Eight, Sixteen };

/// Why labels of 16 bits are refused where 8 are wanted.
Failure tooDeepForLabels();

std::variant<Raster, Failure> decodePng(const uint8_t *data, size_t size, const ReadOptions &options,
                                        Depth depth);
std::variant<Raster, Failure> decodeJpeg(const uint8_t *data, size_t size, const ReadOptions &options);
std::variant<Raster, Failure> decodePnm(const uint8_t *data, size_t size, const ReadOptions &options,
                                        Depth depth);
std::variant<Raster, Failure> decodeTiff(const uint8_t *data, size_t size, const ReadOptions &options,
                                         Depth depth);

std::variant<std::vector<uint8_t>, Failure> encodePng(const Picture &picture);
std::vector<uint8_t> encodePnm(const Picture &picture);

} // namespace segc::pictures

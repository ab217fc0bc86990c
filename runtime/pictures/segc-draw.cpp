/// \file segc-draw: writes a drawn picture and its truth, for demonstrations and benchmarks without data.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Draw.h"
#include "runtime/pictures/File.h"
#include <cerrno>
#include <cstdio>
#include <cstdlib>

using namespace segc::pictures;

namespace {

/// Digits only, so that "-1" and "12px" are refused; nothing if `text` is not such a number.
std::optional<uint64_t> parse(const char *text) {
  char *end = nullptr;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || errno)
    return std::nullopt;
  return value;
}

int fail(const Failure &failure) {
  fprintf(stderr, "segc-draw: %s\n", failure.c_str());
  return 1;
}

} // namespace

int main(int argc, char **argv) {
  const std::optional<uint64_t> width = argc == 6 ? parse(argv[1]) : std::nullopt;
  const std::optional<uint64_t> height = argc == 6 ? parse(argv[2]) : std::nullopt;
  const std::optional<uint64_t> seed = argc == 6 ? parse(argv[3]) : std::nullopt;
  if (!width || !height || !seed)
    return fail("usage: segc-draw WIDTH HEIGHT SEED PICTURE.png TRUTH.png");
  std::variant<Scene, Failure> drawn = drawCells(int64_t(*width), int64_t(*height), *seed);
  if (Failure *failure = std::get_if<Failure>(&drawn))
    return fail(*failure);
  const Scene &scene = std::get<Scene>(drawn);
  if (std::optional<Failure> failure = writePicture(argv[4], scene.picture))
    return fail(*failure);
  if (std::optional<Failure> failure = writePicture(argv[5], scene.truth))
    return fail(*failure);
  return 0;
}

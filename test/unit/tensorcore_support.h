/// \file Tensors in GPU formats, plain loops in double, and a run of a specialised kernel on the emulated
/// warp.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/emulate/Emulate.h"
#include "schedules/tensorcore/Specialise.h"
#include <functional>
#include <random>

namespace segc::tensorcore::test {

/// N, H, W, C with a pixel stride that may leave holes, which hold NaN.
class Tensor {
public:
  Tensor() = default;
  Tensor(Element element, bool f32, int n, int h, int w, int c, int pixel = 0);
  void randomise(std::mt19937 &random, float scale = 1);
  double get(int n, int y, int x, int c) const;
  void set(int n, int y, int x, int c, float value);
  int64_t at(int n, int y, int x, int c) const { return ((int64_t(n) * h + y) * w + x) * pixel + c; }
  View view();
  emulate::Range range(bool writable) { return {bytes.data(), bytes.size() * 4, writable}; }

  int n = 0, h = 0, w = 0, c = 0, pixel = 0, size = 4;
  Element element = Element::BF16;
  std::vector<uint32_t> bytes;
};

/// For the names of tests.
inline const char *nameOf(Element element) {
  return element == Element::BF16 ? "bf16" : element == Element::F16 ? "f16" : "tf32";
}

/// The tiles that are tested in an element: f16 differs from bf16 in one instruction, so half of them will
/// do.
inline bool isTested(Element element, const Tile &tile) { return element != Element::F16 || tile.k == 32; }

/// The value as the product sees it.
double rounded(Element element, float value);

struct Case {
  Problem problem;
  Tile tile;
  int n = 1, h = 8, w = 8; ///< of the input
  int padY = 0, padX = 0;
  bool constantExtents = false;
  int pixelGap = 0; ///< additional channels between pixels of all tensors
  int parts = 0;    ///< of the launch; 0: all that the tile has
  int extraH = 0;   ///< rows of the result beyond what the input gives (asymmetric padding)
};

/// A convolution with an r x r filter; the result of one by TF32 is f32.
inline Problem conv(int c, int k, int r, Element element = Element::BF16) {
  Problem p;
  p.element = element;
  p.resultF32 = element == Element::TF32;
  p.c0 = c, p.k = k, p.rh = p.rw = r;
  return p;
}

/// Runs a case and compares with plain loops; returns the counts. Failures are GoogleTest's.
emulate::Counts runConvolution(const Case &c, unsigned seed = 1);
emulate::Counts runWeightGradient(const Case &c, unsigned seed = 1);

/// The kernels of a problem, compiled once in a program.
const emulate::Kernels &compiled(const Problem &problem, const Tile &tile);
/// Whether a launch of a.parts parts needs the kernel.
bool isLaunched(const Kernel &kernel, const Problem &problem, const Arguments &a);
/// Launches all kernels of a problem on the emulated warp, then on a GPU if there is one, whose results then
/// stand; fills a.partial. The error's text, or empty.
std::string launch(const Problem &problem, const Tile &tile, const Extents &extents, Arguments a,
                   std::vector<emulate::Range> memory, emulate::Counts *counts = nullptr);

} // namespace segc::tensorcore::test

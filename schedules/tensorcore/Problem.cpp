/// \file Conditions that problems and tiles have to meet, each with a sentence of its own.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Problem.h"
#include "runtime/core/TensorCoreArguments.h"
#include "llvm/Support/FormatVariadic.h"
#include <algorithm>
#include <set>

using llvm::Error;
using llvm::Expected;
using llvm::formatv;

namespace segc::tensorcore {
namespace {

template <class... Args> Error fail(const char *format, Args &&...args) {
  return llvm::createStringError(formatv(format, std::forward<Args>(args)...).str());
}

const char *name(Element element) {
  return element == Element::BF16 ? "bf16" : element == Element::F16 ? "f16" : "f32";
}

bool isPowerOfTwo(int v) { return v > 0 && (v & (v - 1)) == 0; }

/// Operands that one result needs; more than the kernel's arguments hold is an error.
Error checkEpilogues(const Problem &problem) {
  // `drop` counts elements of a whole tensor and comes with pointwise kernels only (docs/kernels.md).
  static const std::set<std::string> known = {
      "bias",    "scale",        "affine",  "add",           "sub",        "mul",           "times",
      "relu",    "relu6",        "prelu",   "leaky_relu",    "elu",        "selu",          "gelu",
      "silu",    "sigmoid",      "tanh",    "hardswish",     "d_relu",     "hardsigmoid",   "norm_grad",
      "d_relu6", "d_leaky_relu", "d_prelu", "d_elu",         "d_selu",     "dx_leaky_relu", "d_gelu",
      "d_silu",  "d_sigmoid",    "d_tanh",  "d_hardsigmoid", "d_hardswish"};
  int vectors = 0, tensors = 0;
  for (const schedules::Epilogue &step : problem.epilogues) {
    if (!known.count(step.op))
      return fail("{0}: epilogue +{1} is none of a tensor-core kernel", problem.print(), step.op);
    for (char kind : step.signature())
      ++(kind == 't' ? tensors : vectors);
  }
  if (vectors > maxVectors || tensors > maxTensors)
    return fail("{0}: the epilogues take {1} vectors and {2} tensors, at most {3} and {4} are possible",
                problem.print(), vectors, tensors, int(maxVectors), int(maxTensors));
  return Error::success();
}

Error checkProblem(const Problem &p) {
  const std::string text = p.print();
  if (p.c0 <= 0 || p.k <= 0 || p.c1 < 0)
    return fail("{0}: channels must be positive", text);
  for (int c : {p.c0, p.c1, p.k})
    if (c % 8)
      return fail(
          "{0}: {1} channels are not a multiple of 8, the 16 bytes that tensor-core kernels load at once",
          text, c);
  for (int v : {p.rh, p.rw, p.sy, p.sx, p.dy, p.dx})
    if (v < 1)
      return fail("{0}: filter, stride and dilation must be at least 1", text);
  // Both are indexed by int in the kernels.
  if (int64_t(p.taps()) * p.channels() * p.k >= int64_t(1) << 31)
    return fail("{0}: more than 2^31 weights", text);
  if (p.kind == Kind::WeightGradient && (!p.epilogues.empty() || p.pool))
    return fail("{0}: a weight gradient has neither epilogues nor a pool", text);
  if (p.element == Element::TF32 && !p.resultF32)
    return fail("{0}: TF32 is a format of products; its results are f32", text);
  if (p.kind == Kind::Pack && p.resultF32 != (p.element == Element::TF32))
    return fail("{0}: packed weights have the element's type", text);
  if (p.phases < 1 || p.phases > maxPhases)
    return fail("{0}: {1} phases; one launch computes at most {2}", text, p.phases, int(maxPhases));
  const bool tensors =
      std::any_of(p.epilogues.begin(), p.epilogues.end(), [](const auto &step) { return step.isTensor(); });
  if (p.phases > 1 && (p.kind != Kind::Convolution || p.pool || tensors))
    return fail("{0}: phases go with convolutions without a pool and without tensors in the epilogue", text);
  if (p.kind == Kind::Pack && (p.c1 || p.pool || !p.epilogues.empty()))
    return fail("{0}: weights are packed as those of one input, without epilogues", text);
  if (p.poolIndex && !p.pool)
    return fail("{0}: an index without a pool", text);
  if (!p.keep && !p.pool)
    return fail("{0}: neither the result nor a pool of it is to be written", text);
  return checkEpilogues(p);
}

/// What wgmma can, and rows of shared memory as its swizzling has them. TF32 would be cut off instead of
/// rounded, for operands never are in registers.
Error checkGroups(const Problem &p, const Tile &t) {
  const std::string text = p.print() + ": tile " + t.print();
  if (p.element == Element::TF32)
    return fail("{0}: warpgroups multiply convolutions in bf16 and f16 only", text);
  if (t.k != 64)
    return fail("{0}: warpgroups take 64 terms of the reduction, rows of 128 bytes", text);
  if (t.warpM < 64 || t.warpM > 128 || t.warpN < 16 || t.warpN > 256)
    return fail("{0}: a warpgroup's tile has 64 or 128 rows and 16 to 256 columns", text);
  if (p.kind == Kind::WeightGradient && t.warpN < 64)
    return fail("{0}: 64 columns of a weight gradient are a row of 128 bytes, which a warpgroup takes whole",
                text);
  if (t.warpM * t.warpN > 64 * 256)
    return fail("{0}: a warpgroup's tile has at most 16384 results, 128 in each thread", text);
  return Error::success();
}

Error checkTile(const Problem &p, const Tile &t) {
  const std::string text = p.print() + ": tile " + t.print();
  for (int v : {t.m, t.n, t.k, t.warpM, t.warpN})
    if (!isPowerOfTwo(v))
      return fail("{0}: sizes must be powers of two", text);
  if (Error error = t.wgmma ? checkGroups(p, t) : Error::success())
    return error;
  if (!t.wgmma && (t.warpM < 16 || t.warpM > 64 || t.warpN < 16 || t.warpN > 64))
    return fail("{0}: a warp's tile has 16, 32 or 64 rows and columns", text);
  if (t.m < t.warpM || t.n < t.warpN || t.threads() > 256)
    return fail("{0}: a block has 1 to 8 warps, not {1}", text, t.warps());
  const int least = t.wgmma ? 3 : 2; // the products of one step are under way beside those of the next
  if (t.stages < least || t.stages > 6)
    return fail("{0}: the pipeline has {1} to 6 stages", text, least);
  if (t.parts < 1 || t.parts > 4096)
    return fail("{0}: the reduction has 1 to 4096 parts", text);
  const int chunk = 16 / bytesOf(p.element);
  if (t.k * bytesOf(p.element) < 32)
    return fail("{0}: one instruction alone takes {1} of the reduction", text, 32 / bytesOf(p.element));
  // Each thread copies the same number of 16-byte chunks of each operand, all in one column.
  const bool gradient = p.kind == Kind::WeightGradient;
  for (int side : {t.m, t.n}) {
    const int across = (gradient ? side : t.k) / chunk, rows = gradient ? t.k : side;
    if (across < 4)
      return fail("{0}: rows of shared memory have at least 64 bytes, not {1}", text, across * 16);
    if (t.threads() % across || rows % (t.threads() / across))
      return fail("{0}: {1} threads cannot share {2} rows of {3} chunks evenly", text, t.threads(), rows,
                  across);
    if (rows / (t.threads() / across) > 16)
      return fail("{0}: more than 16 copies a thread and operand", text);
  }
  if (t.width && (!isPowerOfTwo(t.width) || t.width < 2 || t.m / t.width < 2 || gradient))
    return fail("{0}: a rectangle of {1} pixels cannot be {2} wide", text, t.m, t.width);
  if (p.pool && !t.width)
    return fail("{0}: the fused pool needs rectangles of pixels", text);
  return Error::success();
}

} // namespace

Expected<Problem> Problem::of(const schedules::KernelSpec &spec) {
  const std::string text = spec.print();
  Problem p;
  if (spec.op == "conv_wgrad")
    p.kind = Kind::WeightGradient;
  else if (spec.op != "conv")
    return fail("{0}: tensor-core kernels are conv and conv_wgrad", text);
  if (spec.dtype == "bf16")
    p.element = Element::BF16;
  else if (spec.dtype == "f16")
    p.element = Element::F16;
  else if (spec.dtype == "f32")
    p.element = Element::TF32;
  else
    return fail("{0}: dtype '{1}' is none of bf16, f16 and f32 (as TF32)", text, spec.dtype);
  if (spec.get("g") > 1)
    return fail("{0}: {1} groups; tensor-core kernels have one", text, spec.get("g"));
  const std::string pooling = spec.pooling();
  if (spec.word("read") == "scaled" || (pooling.empty() && !spec.reduction().empty()))
    return fail("{0}: neither read= nor +argmax and +softmax are possible", text);
  p.c0 = spec.get("c");
  p.k = spec.get("k");
  p.rh = spec.get("r", 0), p.rw = spec.get("r", 1);
  p.sy = spec.get("s", 0), p.sx = spec.get("s", 1);
  p.dy = spec.get("d", 0), p.dx = spec.get("d", 1);
  p.phases = int(spec.number("phases", 1));
  p.epilogues = spec.epilogues;
  if (!pooling.empty()) {
    p.epilogues.pop_back();
    p.pool = true;
    p.poolIndex = pooling == "pool_index";
    p.keep = pooling == "keep_pool";
  }
  p.resultF32 = p.element == Element::TF32 || p.kind == Kind::WeightGradient;
  if (Error error = checkProblem(p))
    return error;
  // Of x, of the result or its gradient, and of the epilogues' tensors; 0 repeats one pixel.
  std::vector<int> strides = {spec.get("in"), spec.get(p.kind == Kind::WeightGradient ? "dy" : "out")};
  for (const schedules::Epilogue &step : spec.epilogues)
    strides.push_back(step.stride);
  for (int stride : strides)
    if (stride % 8)
      return fail(
          "{0}: {1} elements from a pixel to the next are not a multiple of 8, the 16 bytes that tensor-core "
          "kernels load at once",
          text, stride);
  return p;
}

std::string Problem::print() const {
  std::string text = formatv("{0} c{1}",
                             kind == Kind::Convolution ? "conv"
                             : kind == Kind::Pack      ? "pack"
                                                       : "conv_wgrad",
                             c0);
  if (c1)
    text += "+" + std::to_string(c1);
  text += formatv(" k{0} r{1}x{2} s{3}x{4} d{5}x{6}", k, rh, rw, sy, sx, dy, dx).str();
  if (phases > 1)
    text += " phases" + std::to_string(phases);
  for (const schedules::Epilogue &step : epilogues)
    text += " +" + step.op + (step.wide ? "(f32)" : "");
  if (scaled)
    text += " +scale";
  if (pool)
    text += std::string(" +maxpool2") + (keep        ? poolIndex ? "(index)" : ""
                                         : poolIndex ? "(alone, index)"
                                                     : "(alone)");
  return text + " : " + name(element);
}

std::string Tile::print() const {
  std::string text = formatv("{0}x{1}x{2} {3}{4}x{5} s{6}", m, n, k, wgmma ? "g" : "w", warpM, warpN, stages);
  if (parts > 1)
    text += " p" + std::to_string(parts);
  if (width)
    text += " x" + std::to_string(width);
  return text;
}

Expected<Tile> Tile::parse(llvm::StringRef text) {
  Tile tile;
  llvm::StringRef left = text;
  auto number = [&](const char *before, int &value) {
    return left.consume_front(before) && !left.consumeInteger(10, value);
  };
  bool sizes = number("", tile.m) && number("x", tile.n) && number("x", tile.k);
  tile.wgmma = left.starts_with(" g");
  sizes = sizes && number(tile.wgmma ? " g" : " w", tile.warpM) && number("x", tile.warpN) &&
          number(" s", tile.stages);
  if (sizes) {
    number(" p", tile.parts);
    number(" x", tile.width);
  }
  if (!sizes || !left.empty())
    return fail("tile '{0}': expected MxNxK wMxN sSTAGES [pPARTS] [xWIDTH], as in 128x64x32 w64x32 s3", text);
  return tile;
}

int sharedBytes(const Problem &problem, const Tile &tile) {
  const int pipeline = tile.stages * (tile.m + tile.n) * tile.k * bytesOf(problem.element);
  const int exchange = 4 * tile.m * (tile.warpN + 8); // exchangePlace() of the template
  return pipeline > exchange ? pipeline : exchange;
}

int mmaCount(const Problem &problem, const Tile &tile) {
  const int slices = tile.k * bytesOf(problem.element) / 32;
  return tile.wgmma ? tile.warpM / 64 * slices : tile.warpM / 16 * (tile.warpN / 8) * slices;
}

Error checkExtents(const Problem &p, const Extents &e) {
  const double perOctet = bytesOf(p.element) / 2.; // inputs are counted in chunks of 16 bytes
  const double input = double(e.images) * e.inHeight * e.inWidth * (std::max(p.c0, p.c1) / 8) * perOctet;
  const double pixels = double(e.images) * e.height * e.width, result = pixels * (p.k / 8) * perOctet;
  if (std::max({input, pixels * 8, result}) >= 0x1p31)
    return fail("{0}: {1} images of {2}x{3} pixels are too many for one launch; split the batch", p.print(),
                e.images, e.height, e.width);
  return Error::success();
}

Error check(const Problem &problem, const Tile &tile, int sharedLimit) {
  if (Error error = checkProblem(problem))
    return error;
  if (problem.kind == Kind::Pack) // has no tile
    return Error::success();
  if (Error error = checkTile(problem, tile))
    return error;
  if (Error error = checkExtents(problem, problem.extents))
    return error;
  if (const int bytes = sharedBytes(problem, tile); bytes > sharedLimit)
    return fail("{0}: tile {1} needs {2} bytes of shared memory, a block has {3}; take fewer stages",
                problem.print(), tile.print(), bytes, sharedLimit);
  return Error::success();
}

} // namespace segc::tensorcore

/// \file Prints what the tensor-core family makes of a problem string, for tests and for the tables of the
/// docs.
///
///   tensorcore-kernel '<problem>' [-tile '128x64x32 w64x32 s3 [p4] [x16]'] [-c1 <channels>] [-pool]
///   tensorcore-kernel -unet <base> <size> <batch> [-gradients] [-sm_90a]
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Specialise.h"
#include "schedules/tensorcore/TileChoice.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace segc;
using namespace segc::tensorcore;

namespace {

int fail(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

int print(const Problem &problem, const Tile &tile) {
  llvm::Expected<Specialised> result = specialise(problem, tile, "kernel");
  if (!result)
    return fail(llvm::toString(result.takeError()));
  std::printf("// %s\n// tile %s, %d mma a step, %d bytes of shared memory\n", problem.print().c_str(),
              tile.print().c_str(), mmaCount(problem, tile), sharedBytes(problem, tile));
  std::fputs(result->ptx.c_str(), stdout);
  return 0;
}

/// A row of the other table: the tile for all GPUs beside that of warpgroups; of a weight gradient also the
/// one for all GPUs that a library with both has.
int rowOf90a(const char *name, const Problem &problem, const Extents &extents) {
  llvm::Expected<Choice> all = chooseTile(problem, extents);
  llvm::Expected<Both> both = chooseBoth(problem, extents);
  if (!all || !both)
    return fail(llvm::toString(llvm::joinErrors(all.takeError(), both.takeError())));
  std::printf("| %s | %d |", name, extents.height);
  auto print = [](const Choice &choice) {
    std::printf(" `%s` | %.1f |", choice.tile.print().c_str(), choice.estimate.microseconds);
  };
  print(*all);
  print(both->groups);
  if (problem.kind == Kind::WeightGradient)
    print(both->all);
  std::puts("");
  return 0;
}

/// A row of the table: a layer forward, its data gradient's problem is that of the layer with c and k
/// swapped.
int row(const char *name, const Problem &problem, int size, int batch, bool sm90a) {
  const Extents extents = {batch, size, size, size * problem.sy, size * problem.sx};
  if (sm90a)
    return rowOf90a(name, problem, extents);
  llvm::Expected<Choice> choice = chooseTile(problem, extents);
  if (!choice)
    return fail(llvm::toString(choice.takeError()));
  const double flops =
      2. * problem.phases * batch * size * size * problem.taps() * problem.channels() * problem.k;
  const Estimate &e = choice->estimate;
  std::printf("| %s | %d | `%s` | `%s` | %lld | %d | %.2f | %.1f | %.0f |\n", name, size,
              problem.print().c_str(), choice->tile.print().c_str(), static_cast<long long>(e.blocks),
              e.perSm, e.waves, e.microseconds, flops / e.microseconds * 1e-6);
  return 0;
}

int unet(int base, int size, int batch, bool gradients, bool sm90a) {
  std::printf(sm90a && gradients ? "| layer | pixels | tile | µs | on sm_90a | µs | beside it | µs "
                                   "|\n|---|---|---|---|---|---|---|---|\n"
              : sm90a ? "| layer | pixels | tile | µs | on sm_90a | µs |\n|---|---|---|---|---|---|\n"
                      : "| layer | pixels | problem | tile | blocks | an SM | waves | µs | TFLOP/s "
                        "|\n|---|---|---|---|---|---|---|---|---|\n");
  int failed = 0;
  auto layer = [&](const std::string &name, int c0, int c1, int k, int r, int extent, bool pool) {
    Problem p;
    if (gradients) { // a concat is one buffer; a deconvolution's input and result change places
      const bool deconvolution = r == 1;
      p.kind = Kind::WeightGradient, p.resultF32 = true;
      p.c0 = deconvolution ? k : c0 + c1, p.k = deconvolution ? c0 : k;
      p.rh = p.rw = deconvolution ? 2 : r, p.sy = p.sx = deconvolution ? 2 : 1;
      failed |= row(name.c_str(), p, extent, batch, sm90a);
      return;
    }
    p.c0 = c0, p.c1 = c1, p.k = k, p.rh = p.rw = r, p.pool = pool;
    p.epilogues = {{"bias"}};
    if (r == 1)
      p.phases = 4;
    else
      p.epilogues.push_back({"relu"});
    failed |= row(name.c_str(), p, extent, batch, sm90a);
  };
  for (int level = 0; level < 5; level++) {
    const int k = base << level, extent = size >> level;
    const std::string at = "down " + std::to_string(level);
    if (level)
      layer(at + " a", k / 2, 0, k, 3, extent, false);
    layer(at + " b", k, 0, k, 3, extent, level < 4);
  }
  for (int level = 3; level >= 0; level--) {
    const int k = base << level, extent = size >> level;
    const std::string at = "up " + std::to_string(level);
    layer(at + " deconv", 2 * k, 0, k, 1, extent / 2, false);
    layer(at + " a", k, k, k, 3, extent, false);
    layer(at + " b", k, 0, k, 3, extent, false);
  }
  return failed;
}

} // namespace

int main(int argc, char **argv) {
  if (argc >= 5 && !std::strcmp(argv[1], "-unet")) {
    auto given = [&](const char *option) {
      return std::any_of(argv + 5, argv + argc, [&](const char *word) { return !std::strcmp(word, option); });
    };
    return unet(std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]), given("-gradients"),
                given("-sm_90a"));
  }
  if (argc < 2)
    return fail("a problem string is expected");
  // The parser of problem strings knows the dtypes that Halide kernels have; the last word is this family's.
  std::string text = argv[1];
  const size_t colon = text.rfind(": ");
  if (colon == std::string::npos)
    return fail("'" + text + "' has no dtype");
  const std::string dtype = text.substr(colon + 2);
  auto parsed = schedules::KernelSpec::parse(text.substr(0, colon) + ": f32");
  if (auto *message = std::get_if<std::string>(&parsed))
    return fail(*message);
  auto &spec = std::get<schedules::KernelSpec>(parsed);
  spec.dtype = dtype;
  llvm::Expected<Problem> problem = Problem::of(spec);
  if (!problem)
    return fail(llvm::toString(problem.takeError()));
  Tile tile = {128, 64, 64 / bytesOf(problem->element), 64, 32, 3, 1, 0};
  for (int i = 2; i < argc; i++) {
    if (!std::strcmp(argv[i], "-pool"))
      problem->pool = true;
    else if (!std::strcmp(argv[i], "-c1") && i + 1 < argc)
      problem->c1 = std::atoi(argv[++i]);
    else if (!std::strcmp(argv[i], "-tile") && i + 1 < argc) {
      llvm::Expected<Tile> given = Tile::parse(argv[++i]);
      if (!given)
        return fail(llvm::toString(given.takeError()));
      tile = *given;
    } else
      return fail(std::string("unknown argument ") + argv[i]);
  }
  return print(*problem, tile);
}

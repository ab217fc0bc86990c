/// \file Convolution families at every legal value of their parameters, and with many channels.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_conv_support.h"
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>

namespace segc::schedules {
namespace {

/// A family, a point with each legal value of each of its parameters (the others by chance), on channels that
/// are no multiples of anything; a few of them but with SEGC_LONG=1.
void checkEveryValue(const char *name, const KernelSpec &spec, Isa isa, unsigned seed,
                     const std::function<double(const Schedule &)> &tolerance) {
  if (!canRun(isa))
    return;
  std::mt19937 random(seed);
  const Family *family = findFamily(name);
  const char *longer = std::getenv("SEGC_LONG");
  const size_t share = longer && std::string(longer) == "1" ? 1 : 6;
  size_t number = 0;
  for (const Parameter &parameter : family->parameters(spec, isa))
    for (const int value : parameter.legal) {
      Schedule point = randomPoint(*family, spec, isa, random);
      point.params[parameter.name] = value;
      if (number++ % share == 0) {
        SCOPED_TRACE(spec.print() + " | " + point.print() + " | " + schedules::name(isa));
        EXPECT_LE(convError(spec, point, isa, {{1, 1, 1}, {1, 9, 19}}, unsigned(random())), tolerance(point));
      }
    }
  EXPECT_GE(number, 10u);
}

TEST(EveryLegalValue, Convolutions) {
  const auto direct = [](const Schedule &) { return kDirectTolerance; };
  const KernelSpec conv = convSpec(35, 83, 3, 1, 1, 1, " +bias +relu");
  checkEveryValue("direct", conv, Isa::Avx512, 1, direct);
  checkEveryValue("direct", conv, Isa::Avx2, 2, direct);
  checkEveryValue("deep", convSpec(48, 83, 3, 1, 1, 1, " +bias"), Isa::Avx512, 3, direct);
  checkEveryValue("depthwise", convSpec(83, 83, 5, 2, 1, 83, " +bias"), Isa::Avx512, 4, direct);
  checkEveryValue("winograd", conv, Isa::Avx512, 5, winogradTolerance);
  checkEveryValue("winograd", conv, Isa::Avx2, 6, winogradTolerance);
}

/// As many channels as deep layers have, ragged ones, on few pixels.
TEST(WideChannels, AgreeWithPlainLoops) {
  std::mt19937 random(7);
  struct Case {
    const char *family;
    int c, k, g;
  };
  for (const Case &t : {Case{"direct", 256, 250, 1},
                        {"direct", 131, 256, 1},
                        {"direct", 252, 144, 4},
                        {"deep", 256, 203, 1},
                        {"depthwise", 251, 251, 251},
                        {"winograd", 256, 250, 1},
                        {"winograd", 187, 256, 1},
                        {"winograd_fresh", 256, 256, 1}})
    for (Isa isa : {Isa::Avx512, Isa::Avx2}) {
      KernelSpec spec = convSpec(t.c, t.k, 3, 1, 1, t.g, " +bias +relu");
      const Family *family = findFamily(t.family);
      spec.fresh = std::string(t.family) == "winograd_fresh" ? "conv" : "";
      if (!canRun(isa) || !family->whyNot(spec, isa).empty())
        continue;
      const Schedule point = family->choose(spec, isa);
      SCOPED_TRACE(spec.print() + " | " + point.print() + " | " + name(isa));
      const double tolerance = std::string(t.family).rfind("winograd", 0) == 0 ? 1e-4 : kDirectTolerance;
      EXPECT_LE(convError(spec, point, isa, {{1, 1, 2}, {1, 3, 5}}, unsigned(random())), tolerance);
    }
}

} // namespace
} // namespace segc::schedules

/// \file Points are numbers in the mixed radix of a family's legal values.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernelPoints.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace segc {

using schedules::Family;
using schedules::Parameter;
using schedules::Schedule;

namespace {

struct Candidate {
  const Family *family;
  std::vector<Parameter> parameters;
  uint64_t legal = 1;
};

Schedule pointOf(const Candidate &of, uint64_t number) {
  Schedule point{of.family->name, {}};
  for (const Parameter &parameter : of.parameters) {
    point.params[parameter.name] = parameter.legal[number % parameter.legal.size()];
    number /= parameter.legal.size();
  }
  return point;
}

/// A step that meets all `count` numbers, in an order in which any few of them are evenly spread: near the
/// golden section, without a common divisor.
uint64_t spreadingStep(uint64_t count) {
  auto step = std::max<uint64_t>(1, static_cast<uint64_t>(std::llround(double(count) * 0.6180339887498949)));
  while (std::gcd(step, count) != 1)
    ++step;
  return step;
}

/// 1: of filters that are turned around, which no plain loop has.
bool isTurned(const Schedule &point) {
  const auto from = point.params.find("from");
  return from != point.params.end() && from->second;
}

} // namespace

std::variant<KernelPoints, std::string> legalPoints(const schedules::KernelSpec &spec, schedules::Isa isa,
                                                    const std::vector<std::string> &without, size_t limit) {
  auto rule = schedules::chooseSchedule(spec, isa, without);
  if (auto *why = std::get_if<std::string>(&rule))
    return *why;
  KernelPoints result;
  result.points.push_back(std::get<Schedule>(rule));
  std::vector<Candidate> candidates;
  for (const Family &family : schedules::families()) {
    if (family.onGpu != schedules::isGpu(isa) ||
        std::find(without.begin(), without.end(), family.name) != without.end() ||
        !family.whyNot(spec, isa).empty())
      continue;
    Candidate &candidate = candidates.emplace_back(Candidate{&family, family.parameters(spec, isa)});
    for (const Parameter &parameter : candidate.parameters)
      candidate.legal *= parameter.legal.size();
    result.legal += double(candidate.legal);
  }
  for (const Candidate &candidate : candidates) {
    const double part =
        0.5 * double(limit) * (double(candidate.legal) / result.legal + 1. / candidates.size());
    const auto take = result.legal <= double(limit)
                          ? candidate.legal
                          : std::min(candidate.legal, std::max<uint64_t>(1, uint64_t(part)));
    const uint64_t step = spreadingStep(candidate.legal);
    for (uint64_t i = 0; i < take; ++i) {
      Schedule point = pointOf(candidate, uint64_t((__uint128_t(i) * step) % candidate.legal));
      if (!isTurned(point) && point.print() != result.points[0].print() && result.points.size() < limit)
        result.points.push_back(std::move(point));
    }
  }
  return result;
}

std::vector<Schedule> pointsNear(const schedules::KernelSpec &spec, schedules::Isa isa,
                                 const Schedule &centre) {
  std::vector<Schedule> result;
  for (const Parameter &parameter : schedules::findFamily(centre.family)->parameters(spec, isa))
    for (const int value : parameter.legal) {
      Schedule point = centre;
      point.params[parameter.name] = value;
      if (value != centre.params.at(parameter.name) && !isTurned(point))
        result.push_back(std::move(point));
    }
  return result;
}

} // namespace segc

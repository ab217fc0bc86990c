/// \file Collects a round, then judges it.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchRounds.h"
#include <algorithm>
#include <chrono>
#include <cmath>

namespace segc {

double clockNow() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<double> BenchTimes::counting() const {
  std::vector<double> sorted = quiet.empty() ? busy : quiet;
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

double percentile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

BenchRounds::BenchRounds(size_t contestants, double seconds)
    : times(contestants), start(clockNow()), last(start + 1e3 * seconds) {}

void BenchRounds::begin() {
  start = clockNow();
  load = ForeignLoad();
  now.clear();
}

bool BenchRounds::isFull() const {
  constexpr double kRound = 200; // ms: twice what the load needs
  return clockNow() - start >= kRound;
}

void BenchRounds::add(size_t contestant, double time) { now.emplace_back(contestant, time); }

void BenchRounds::end() {
  constexpr double kQuiet = 0.15; // cores
  const bool isQuiet = load.cores().value_or(0) <= kQuiet;
  ++rounds;
  quietRounds += isQuiet;
  for (const auto &[contestant, time] : now)
    (isQuiet ? times[contestant].quiet : times[contestant].busy).push_back(time);
}

bool BenchRounds::isOver() const { return clockNow() >= last; }

std::string BenchRounds::note() const {
  if (!quietRounds)
    return "other processes kept the machine busy in each of the " + std::to_string(rounds) +
           " rounds; all of them count";
  if (quietRounds < rounds)
    return std::to_string(rounds - quietRounds) + " of " + std::to_string(rounds) +
           " rounds do not count: other processes kept the machine busy";
  return "";
}

} // namespace segc

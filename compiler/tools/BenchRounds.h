/// \file Rounds of measurements, of which those count in which others left the machine alone.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Load.h"
#include <string>
#include <vector>

namespace segc {

/// The clock of all measurements, in ms.
double clockNow();

/// A contestant's runs.
struct BenchTimes {
  std::vector<double> quiet, busy; ///< ms; busy: of rounds that count only if there are no others
  /// Those that count, sorted.
  std::vector<double> counting() const;
};

/// The value below which `share` of the sorted values lie.
double percentile(const std::vector<double> &sorted, double share);

/// Measures for `seconds` in rounds of a fifth of a second. A round in which other processes kept more than
/// 0.15 cores busy counts for none of the contestants that ran in it.
class BenchRounds {
public:
  BenchRounds(size_t contestants, double seconds);
  void begin();
  bool isFull() const; ///< the round may end
  void add(size_t contestant, double time);
  void end();
  bool isOver() const;

  std::vector<BenchTimes> times; ///< by contestant
  int rounds = 0, quietRounds = 0;
  /// What to say about rounds that were disturbed; empty if none was.
  std::string note() const;

private:
  double start, last;
  ForeignLoad load;
  std::vector<std::pair<size_t, double>> now; ///< of the round
};

} // namespace segc

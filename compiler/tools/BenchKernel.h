/// \file segc-bench -kernel: one problem at one or at many schedules, checked and timed.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/BenchKernelTensors.h"
#include "compiler/tools/ToolOptions.h"
#include "schedules/Family.h"
#include <string>
#include <vector>

namespace segc {

/// A schedule and what was found.
struct KernelResult {
  schedules::Schedule schedule;
  bool isRule = false;              ///< it is the rule's choice
  std::string failure;              ///< why it was not timed; empty if it was
  double error = 0;                 ///< largest, relative to the result's maximum
  std::vector<double> milliseconds; ///< of the runs that count, sorted; with the last number of threads
};

/// All schedules with one number of threads, the fastest first, those that failed last.
struct KernelRun {
  int threads = 1;
  double rate = 0; ///< of the machine: GFLOP/s or GB/s
  int rounds = 0, quietRounds = 0;
  std::string note; ///< about disturbed rounds
  std::vector<KernelResult> results;

  const KernelResult *rule() const; ///< null if it was not asked for
};

struct KernelReport {
  schedules::KernelSpec spec;
  schedules::Isa isa = schedules::Isa::Portable;
  KernelExtents extents;
  bool isSearch = false; ///< -all
  double legal = 1;      ///< points
  double flops = 0;      ///< of products; 0 for what has none to speak of
  double bytes = 0;      ///< of the tensors
  bool byBytes = false;  ///< the kernel is judged by them: on this machine they take longer than the products
  int64_t compared = 0, elements = 0;
  std::vector<KernelRun> runs;

  const char *unit() const { return byBytes ? "GB/s" : "GFLOP/s"; }
  /// In unit().
  double rate(double milliseconds) const { return 1e-6 * (byBytes ? bytes : flops) / milliseconds; }
};

/// The tool's main for -kernel; returns the exit code.
int benchKernel(const ToolOptions &options);

void print(const KernelReport &report);
std::string toJson(const KernelReport &report);

} // namespace segc

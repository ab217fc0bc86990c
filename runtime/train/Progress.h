/// \file Progress: a bar on a terminal, now and then a plain line elsewhere.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace segc::train {

struct ProgressOptions {
  FILE *out = stderr;
  bool terminal = false;         ///< isatty(fileno(out)), say
  double interval = 10;          ///< seconds between plain lines
  std::function<double()> clock; ///< seconds; empty: a steady clock
};

/// Not for several threads.
class Progress {
public:
  /// `done` of `total` steps were done before: the rate counts from there.
  Progress(int64_t total, int64_t done, ProgressOptions options);
  ~Progress() { finish(); }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// Another guess of how many steps there are in all.
  void expect(int64_t steps) { total = steps > 0 ? steps : 1; }
  /// "[#####-----] 1200/4000  loss 0.431  left 1:20": `words` stand in the middle.
  void update(int64_t done, const std::string &words);
  /// A line of its own above the bar.
  void print(const std::string &line);
  /// Ends the bar's line; plain output gets its last state if that was not shown.
  void finish();

  /// "0:07", "1:02:03".
  static std::string duration(double seconds);

private:
  std::string line(double now) const;

  ProgressOptions options;
  int64_t total, first, done;
  std::string words;
  double began, shown = -1e300;
  bool pending = false, open = false;
};

/// Columns of the terminal behind `out`; 80 where that is unknown.
int terminalWidth(FILE *out);

} // namespace segc::train

/// \file Progress: lines, rates and times.
// SPDX-License-Identifier: MIT
#include "runtime/train/Progress.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <sys/ioctl.h>
#include <utility>

namespace segc::train {

namespace {

/// Redrawing more often only costs time.
constexpr double redraw = 0.1;

double steadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

int terminalWidth(FILE *out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

Progress::Progress(int64_t total, int64_t done, ProgressOptions given)
    : options(std::move(given)), total(std::max<int64_t>(1, total)), first(done), done(done) {
  if (!options.clock)
    options.clock = steadySeconds;
  began = options.clock();
}

std::string Progress::duration(double seconds) {
  const auto whole = int64_t(std::llround(std::clamp(seconds, 0.0, 1e9)));
  char text[48];
  if (whole >= 3600)
    snprintf(text, sizeof text, "%lld:%02lld:%02lld", static_cast<long long>(whole / 3600),
             static_cast<long long>(whole / 60 % 60), static_cast<long long>(whole % 60));
  else
    snprintf(text, sizeof text, "%lld:%02lld", static_cast<long long>(whole / 60),
             static_cast<long long>(whole % 60));
  return text;
}

std::string Progress::line(double now) const {
  std::string text = std::to_string(done) + "/" + std::to_string(total) + "  " + words;
  if (done > first && done < total)
    text += "  left " + duration((now - began) / double(done - first) * double(total - done));
  else if (done >= total)
    text += "  in " + duration(now - began);
  return text;
}

void Progress::update(int64_t reached, const std::string &text) {
  done = reached;
  words = text;
  pending = true;
  const double now = options.clock();
  if (now - shown < (options.terminal ? redraw : options.interval) && done < total)
    return;
  shown = now;
  pending = false;
  const std::string state = line(now);
  if (!options.terminal) {
    fprintf(options.out, "%s\n", state.c_str());
    fflush(options.out);
    return;
  }
  // What does not fit would wrap and stay; the bar takes what the words leave.
  const int room = terminalWidth(options.out) - 1;
  const int bar = std::clamp(room - int(state.size()) - 3, 0, 30);
  const int filled = int(double(bar) * double(std::min(done, total)) / double(total));
  std::string drawn;
  if (bar >= 5)
    drawn = "[" + std::string(size_t(filled), '#') + std::string(size_t(bar - filled), '-') + "] ";
  drawn += state;
  drawn.resize(std::min(drawn.size(), size_t(std::max(room, 1))));
  fprintf(options.out, "\r%s\033[K", drawn.c_str());
  fflush(options.out);
  open = true;
}

void Progress::print(const std::string &text) {
  fprintf(options.out, "%s%s\n", options.terminal && open ? "\r\033[K" : "", text.c_str());
  fflush(options.out);
  shown = options.terminal ? -1e300 : shown;
}

void Progress::finish() {
  if (pending && !options.terminal)
    fprintf(options.out, "%s\n", line(options.clock()).c_str());
  if (open)
    fprintf(options.out, "\n");
  fflush(options.out);
  pending = open = false;
}

} // namespace segc::train

/// \file Curves: how numbers went over the steps, as an SVG drawing.
// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace segc::train {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points; ///< step and value; values that are not finite part the line
};

/// One diagram; several stand below each other with a common axis of steps.
struct Panel {
  std::string title;
  std::vector<Series> series;
  bool logarithmic = false; ///< the values' axis, where all are positive
};

/// A complete SVG file. Long series are averaged down to what can be seen.
std::string curvesSvg(const std::vector<Panel> &panels);

} // namespace segc::train

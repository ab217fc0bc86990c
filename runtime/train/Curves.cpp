/// \file Curves: axes, ticks and lines.
// SPDX-License-Identifier: MIT
#include "runtime/train/Curves.h"
#include "runtime/train/Table.h"
#include <algorithm>
#include <cmath>

namespace segc::train {

namespace {

constexpr double width = 720, height = 220, left = 70, right = 150, top = 34, bottom = 36;
constexpr size_t maxPoints = 1000;
const char *const strokes[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd",
                               "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f"};

std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '<':
      result += "&lt;";
      break;
    case '&':
      result += "&amp;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  return result;
}

/// Averages neighbours until there are at most maxPoints.
std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>> &points) {
  const size_t group = (points.size() + maxPoints - 1) / maxPoints;
  if (group <= 1)
    return points;
  std::vector<std::pair<double, double>> result;
  for (size_t begin = 0; begin < points.size(); begin += group) {
    const size_t end = std::min(points.size(), begin + group);
    double x = 0, y = 0;
    for (size_t i = begin; i < end; ++i) {
      x += points[i].first;
      y += points[i].second;
    }
    result.emplace_back(x / double(end - begin), y / double(end - begin));
  }
  return result;
}

/// An axis from low to high with ticks at 1, 2 or 5 times a power of ten, or at powers of ten.
struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;

  double share(double value) const {
    auto place = [&](double v) { return logarithmic ? std::log(v) : v; };
    return (place(value) - place(low)) / (place(high) - place(low));
  }
  std::vector<double> ticks() const {
    std::vector<double> result;
    if (logarithmic) {
      const double first = std::floor(std::log10(low)), last = std::ceil(std::log10(high));
      const double stride = std::max(1.0, std::ceil((last - first) / 6));
      for (double power = first; power <= last; power += stride)
        for (double digit : {1, 2, 5})
          if (const double tick = digit * std::pow(10, power);
              (digit == 1 || last - first <= 2) && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9))
            result.push_back(tick);
      return result.size() >= 2 ? result : std::vector<double>{low, high};
    }
    const double rough = (high - low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough / power < 1.5   ? 1
                                 : rough / power < 3.5 ? 2
                                 : rough / power < 7.5 ? 5
                                                       : 10);
    const double first = std::ceil(low / step - 1e-9);
    for (int i = 0; i < 12 && (first + i) * step <= high + step * 1e-6; ++i)
      result.push_back((first + i) * step);
    return result;
  }
};

/// Two values apart, also where there is none or one.
Axis axisOver(const std::vector<double> &values, bool logarithmic) {
  Axis axis;
  if (values.empty())
    return axis;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  axis.logarithmic = logarithmic && *least > 0;
  axis.low = *least;
  axis.high = *most;
  const double room = axis.logarithmic ? 0 : 0.05 * (axis.high - axis.low);
  axis.low -= axis.low >= 0 && axis.low - room < 0 ? axis.low : room;
  axis.high += room;
  const double size = std::max(std::abs(axis.low), std::abs(axis.high));
  if (axis.high - axis.low <= 1e-9 * size) {
    axis.high += std::max(1e-3, 0.1 * size);
    axis.low -= axis.logarithmic ? 0.1 * axis.low : std::max(1e-3, 0.1 * size);
  }
  return axis;
}

std::string label(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string text(double x, double y, const std::string &anchor, const std::string &words) {
  return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" + anchor + "\">" +
         escaped(words) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string &stroke) {
  return "<line x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) + "\" x2=\"" + fixed(x2, 1) + "\" y2=\"" +
         fixed(y2, 1) + "\" stroke=\"" + stroke + "\"/>\n";
}

std::string drawPanel(const Panel &panel, const Axis &steps, double offset) {
  std::vector<std::vector<std::pair<double, double>>> lines;
  std::vector<double> values;
  for (const Series &series : panel.series) {
    lines.push_back(thinned(series.points));
    for (const auto &point : lines.back())
      if (std::isfinite(point.second))
        values.push_back(point.second);
  }
  const Axis axis = axisOver(values, panel.logarithmic);
  const double plotWidth = width - left - right, plotHeight = height - top - bottom;
  auto x = [&](double step) { return left + steps.share(step) * plotWidth; };
  auto y = [&](double value) { return offset + top + (1 - axis.share(value)) * plotHeight; };
  std::string svg = "<g font-weight=\"bold\">" + text(left, offset + top - 12, "start", panel.title) + "</g>";
  for (double tick : axis.ticks())
    svg += line(left, y(tick), left + plotWidth, y(tick), "#ddd") +
           text(left - 6, y(tick) + 4, "end", label(tick));
  for (double tick : steps.ticks())
    svg += line(x(tick), offset + top, x(tick), offset + top + plotHeight, "#eee") +
           text(x(tick), offset + top + plotHeight + 16, "middle", label(tick));
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string stroke = strokes[i % (sizeof strokes / sizeof *strokes)];
    std::string path;
    bool drawing = false;
    for (const auto &[step, value] : lines[i]) {
      const bool shown = std::isfinite(value) && std::isfinite(step);
      if (shown)
        path += (drawing ? "L" : "M") + fixed(x(step), 1) + " " + fixed(y(value), 1);
      drawing = shown;
    }
    svg += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + stroke + "\" stroke-width=\"1.5\"/>\n";
    const double keyY = offset + top + 12 + 16 * double(i), keyX = width - right + 12;
    svg += line(keyX, keyY - 4, keyX + 18, keyY - 4, stroke) +
           text(keyX + 24, keyY, "start", panel.series[i].name);
  }
  return svg;
}

} // namespace

std::string curvesSvg(const std::vector<Panel> &panels) {
  std::vector<double> steps;
  for (const Panel &panel : panels)
    for (const Series &series : panel.series)
      for (const auto &point : series.points)
        if (std::isfinite(point.first))
          steps.push_back(point.first);
  Axis axis = axisOver(steps, false);
  if (!steps.empty()) {
    const auto [least, most] = std::minmax_element(steps.begin(), steps.end());
    axis.low = *least;
    axis.high = *most > *least ? *most : *least + 1;
  }
  const double whole = height * double(std::max<size_t>(1, panels.size()));
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + fixed(width, 0) + "\" height=\"" +
                    fixed(whole, 0) + "\" font-family=\"sans-serif\" font-size=\"11\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (size_t i = 0; i < panels.size(); ++i)
    svg += drawPanel(panels[i], axis, height * double(i));
  return svg + "</svg>\n";
}

} // namespace segc::train

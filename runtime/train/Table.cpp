/// \file Table: alignment.
// SPDX-License-Identifier: MIT
#include "runtime/train/Table.h"
#include <algorithm>
#include <locale>
#include <sstream>

namespace segc::train {

namespace {

/// Characters of UTF-8 text: bytes that continue one are not counted.
size_t columns(const std::string &text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

} // namespace

std::string Table::text() const {
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns(row[i]));
  std::string result;
  for (const auto &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - columns(row[i]), ' ');
      line += (i ? "  " : "") + (i ? space + row[i] : row[i] + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
    if (&row != &rows[0])
      continue;
    for (size_t i = 0; i < widths.size(); ++i)
      result += (i ? "  " : "") + std::string(widths[i], '-');
    result += "\n";
  }
  return result;
}

std::string fixed(double value, int digits) {
  std::ostringstream stream;
  stream.imbue(std::locale::classic());
  stream.setf(std::ios::fixed);
  stream.precision(digits);
  stream << value;
  return stream.str();
}

} // namespace segc::train

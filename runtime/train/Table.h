/// \file Table: columns of text for people.
// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

namespace segc::train {

/// The first column flush left, the others flush right, two spaces between.
class Table {
public:
  explicit Table(std::vector<std::string> head) : rows{std::move(head)} {}
  /// Has as many entries as the head.
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  /// With a line of dashes below the head.
  std::string text() const;

private:
  std::vector<std::vector<std::string>> rows;
};

/// With `digits` decimals and a point, whatever the locale.
std::string fixed(double value, int digits);

} // namespace segc::train

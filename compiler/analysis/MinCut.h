/// \file Minimum cuts of small directed graphs.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <vector>

namespace segc {

/// Edges with capacities; the cut that separates source and sink at the least sum of capacities.
class MinCut {
public:
  static constexpr int64_t kUncuttable = int64_t(1) << 60;

  unsigned addNode();
  void addEdge(unsigned from, unsigned to, int64_t capacity);
  /// For every node whether it lies on the sink's side of the least cut, of several such the one nearest to
  /// the sink.
  std::vector<bool> sinkSide(unsigned source, unsigned sink);

private:
  struct Edge {
    unsigned to;
    int64_t capacity;
  };
  bool findLevels(unsigned source, unsigned sink);
  int64_t push(unsigned node, unsigned sink, int64_t limit);

  std::vector<Edge> edges; ///< an edge and its reverse side by side
  std::vector<std::vector<unsigned>> outgoing;
  std::vector<unsigned> level, next;
};

} // namespace segc

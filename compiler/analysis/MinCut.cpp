/// \file Dinic's algorithm (1970): blocking flows along shortest augmenting paths.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/MinCut.h"
#include <algorithm>

namespace segc {

constexpr unsigned kUnreached = ~0u;

unsigned MinCut::addNode() {
  outgoing.emplace_back();
  return static_cast<unsigned>(outgoing.size() - 1);
}

void MinCut::addEdge(unsigned from, unsigned to, int64_t capacity) {
  outgoing[from].push_back(static_cast<unsigned>(edges.size()));
  edges.push_back({to, capacity});
  outgoing[to].push_back(static_cast<unsigned>(edges.size()));
  edges.push_back({from, 0});
}

/// Breadth first over edges with capacity left; does the sink have a level?
bool MinCut::findLevels(unsigned source, unsigned sink) {
  level.assign(outgoing.size(), kUnreached);
  std::vector<unsigned> queue{source};
  level[source] = 0;
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned edge : outgoing[queue[i]])
      if (edges[edge].capacity > 0 && level[edges[edge].to] == kUnreached) {
        level[edges[edge].to] = level[queue[i]] + 1;
        queue.push_back(edges[edge].to);
      }
  return level[sink] != kUnreached;
}

/// Sends up to `limit` along one path of rising levels.
int64_t MinCut::push(unsigned source, unsigned sink, int64_t limit) {
  std::vector<unsigned> path; // edges; a network is deep, so no recursion
  unsigned node = source;
  while (true) {
    if (node == sink) {
      for (unsigned edge : path)
        limit = std::min(limit, edges[edge].capacity);
      for (unsigned edge : path) {
        edges[edge].capacity -= limit;
        edges[edge ^ 1].capacity += limit;
      }
      return limit;
    }
    bool advanced = false;
    for (unsigned &i = next[node]; i < outgoing[node].size(); ++i) {
      const Edge &edge = edges[outgoing[node][i]];
      if (edge.capacity > 0 && level[edge.to] == level[node] + 1) {
        path.push_back(outgoing[node][i]);
        node = edge.to;
        advanced = true;
        break;
      }
    }
    if (advanced)
      continue;
    if (path.empty())
      return 0;
    level[node] = kUnreached; // dead end: back one step
    node = edges[path.back() ^ 1].to;
    path.pop_back();
  }
}

std::vector<bool> MinCut::sinkSide(unsigned source, unsigned sink) {
  while (findLevels(source, sink)) {
    next.assign(outgoing.size(), 0);
    while (push(source, sink, kUncuttable))
      ;
  }
  // Backwards from the sink over edges with capacity left.
  std::vector<bool> side(outgoing.size(), false);
  std::vector<unsigned> queue{sink};
  side[sink] = true;
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned edge : outgoing[queue[i]])
      if (edges[edge ^ 1].capacity > 0 && !side[edges[edge].to]) {
        side[edges[edge].to] = true;
        queue.push_back(edges[edge].to);
      }
  return side;
}

} // namespace segc

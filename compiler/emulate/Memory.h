/// \file The memory that an emulated block sees: shared memory that knows who wrote what when, and the ranges
/// of global memory that a launch was given.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace segc::emulate {

/// Global memory that a kernel may touch.
struct Range {
  void *begin;
  size_t bytes;
  bool writable;
};

/// Each load, store or copy must lie inside one range. Nothing is stored twice in a launch, or loaded after
/// it was stored, since then the order of threads would decide.
class GlobalMemory {
public:
  explicit GlobalMemory(const std::vector<Range> &ranges);
  /// Empty, or what is wrong.
  std::string read(const void *from, size_t bytes);
  std::string write(const void *to, size_t bytes);

private:
  struct Tracked {
    Range range;
    std::vector<bool> stored; ///< by bytes, of writable ranges
  };
  Tracked *find(const void *at, size_t bytes);
  std::vector<Tracked> ranges;
};

/// Shared memory by words of 4 bytes. A word is read validly by the thread that wrote it, and by others after
/// a barrier behind the write, or behind the wait for its copy; it is written validly if no other thread has
/// read or written it since the last barrier. Matrix products of warpgroups read in the async proxy: there
/// must be the writer's proxy fence, then a barrier, behind the write, and nobody may write before the
/// product is done and waited for. Everything else depends on luck on a GPU and is an error here.
class SharedMemory {
public:
  SharedMemory(int bytes, int threads);
  void reset();
  /// All threads have met.
  void barrier() { epoch++; }

  std::string read(int thread, int at, int bytes);
  std::string write(int thread, int at, int bytes);
  char *data(int at) { return bytes.data() + at; }
  /// Until a thread waits for a copy its target holds NaN.
  std::string copy(int thread, int at, const void *from, int read);
  void commit(int thread);
  void wait(int thread, int pending);
  /// The writes of a thread so far, copies that it has waited for among them, reach the async proxy.
  void fenceAsync(int thread);
  /// 16 bytes are read by the async proxy from now on, until the product's end was waited for.
  std::string beginAsyncRead(int at);
  void endAsyncRead(int at);
  /// A block may not end with copies under way.
  std::string end() const;

private:
  struct Word {
    int writer = -1, reader = -1;                  ///< -1 none; reader -2: several
    unsigned written = 0, wasRead = 0, fenced = 0; ///< epochs; fenced 0: not since it was written
    bool pending = false;
    int asyncReads = 0; ///< under way
  };
  struct Copy {
    int at;
    const void *from;
    int read;
  };
  std::string check(int at, int size) const;
  std::vector<char> bytes;
  std::vector<Word> words;
  std::vector<std::vector<Copy>> open;               ///< of each thread: not yet in a group
  std::vector<std::deque<std::vector<Copy>>> groups; ///< of each thread: committed ones
  std::vector<std::vector<int>> unfenced;            ///< of each thread: words that it wrote since its fence
  unsigned epoch = 1;
};

} // namespace segc::emulate

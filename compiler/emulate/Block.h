/// \file One block of threads: warps and warpgroups whose lanes meet at collective instructions, all of them
/// at barriers.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/emulate/Fiber.h"
#include "compiler/emulate/Memory.h"
#include "compiler/emulate/Warpgroup.h"
#include <array>

namespace segc::emulate {

/// What a launch did, for tests.
struct Counts {
  int64_t mma = 0, wgmma = 0, ldmatrix = 0, copies = 0, barriers = 0;
  int64_t conflicts = 0; ///< phases of ldmatrix (8 rows of 16 bytes) whose rows share groups of four banks
};

using Entry = void (*)(void *arguments);

class Block {
public:
  Block(int threads, int sharedBytes, GlobalMemory &global);
  /// Runs the block; empty, or what went wrong.
  std::string run(Entry entry, void *arguments, const std::array<int, 3> &place);
  /// The one that runs on this thread of the host.
  static Block &current();

  int thread() const { return running; }
  /// In the grid.
  const std::array<int, 3> &place() const { return at; }
  SharedMemory &shared() { return memory; }
  GlobalMemory &global() { return globalMemory; }
  Counts counts;

  /// Ends the block with an error; does not return to the kernel.
  void fail(const std::string &what);
  void require(const std::string &error) {
    if (!error.empty())
      fail(error);
  }
  void barrier();

  /// What a lane brings to a collective instruction; the last one that comes runs it for all.
  struct Lane {
    void *out;
    const void *a, *b;
    int number;
    unsigned value;
  };
  using Collective = void (*)(Block &, Lane *lanes);
  /// All lanes of a warp.
  Lane &meet(const char *name, Collective instruction, const Lane &mine) {
    return meetIn(warps[size_t(running / 32)], name, instruction, mine);
  }
  /// All 128 lanes of a warpgroup: the instructions that are `.aligned` for it.
  Lane &meetGroup(const char *name, Collective instruction, const Lane &mine);
  /// The products of the running thread's warpgroup.
  Warpgroup &group() { return products[size_t(running / 128)]; }

private:
  enum class State { Ready, Meeting, Barrier, Done };
  /// Neighbouring threads that meet: a warp or a warpgroup.
  struct Team {
    const char *kind;
    int first;
    std::vector<Lane> lanes;
    const char *name = nullptr;
    Collective instruction = nullptr;
    int arrived = 0;
  };
  static void start(void *thread);
  void leave();
  Lane &meetIn(Team &team, const char *name, Collective instruction, const Lane &mine);
  void checkMeetings(int thread);
  void checkMeeting(const Team &team);
  std::string end() const;
  std::string name() const;

  std::vector<Fiber> fibers;
  std::vector<State> states;
  std::vector<Team> warps, groups;
  std::vector<Warpgroup> products; ///< of each group
  Fiber host;
  SharedMemory memory;
  GlobalMemory &globalMemory;
  Entry entry = nullptr;
  void *arguments = nullptr;
  int running = 0;
  std::array<int, 3> at = {};
  std::string error;
};

} // namespace segc::emulate

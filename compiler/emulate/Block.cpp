/// \file Which thread of a block runs next.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Block.h"
#include <algorithm>

namespace segc::emulate {
namespace {

thread_local Block *active = nullptr;

} // namespace

Block &Block::current() { return *active; }

Block::Block(int threads, int sharedBytes, GlobalMemory &global)
    : fibers(size_t(threads)), states(size_t(threads)), warps(size_t(threads) / 32),
      memory(sharedBytes, threads), globalMemory(global) {}

void Block::start(void *) {
  Block &block = current();
  block.entry(block.arguments);
  block.states[size_t(block.running)] = State::Done;
  block.checkMeeting(block.running / 32);
  block.leave();
}

/// The next ready lane of the warp, or the host when there is none.
void Block::leave() {
  const int from = running, first = from / 32 * 32;
  for (int i = 1; i <= 32; i++) {
    const int to = first + (from - first + i) % 32;
    if (states[size_t(to)] != State::Ready)
      continue;
    if (to == from)
      return;
    running = to;
    Fiber::change(fibers[size_t(from)], fibers[size_t(to)]);
    return;
  }
  Fiber::change(fibers[size_t(from)], host);
}

void Block::fail(const std::string &what) {
  if (error.empty())
    error = name() + what;
  Fiber::change(fibers[size_t(running)], host);
}

/// Lanes wait for each other in vain if none of their warp still runs.
void Block::checkMeeting(int warp) {
  const Warp &w = warps[size_t(warp)];
  const auto begin = states.begin() + 32 * warp;
  if (w.arrived && std::none_of(begin, begin + 32, [](State s) { return s == State::Ready; }))
    fail("some threads of warp " + std::to_string(warp) + " wait at " + w.name +
         ", which others do not reach");
}

Block::Lane &Block::meet(const char *name, Collective instruction, const Lane &mine) {
  const int me = running;
  Warp &warp = warps[size_t(me / 32)];
  if (warp.arrived == 0)
    warp.name = name, warp.instruction = instruction;
  else if (warp.instruction != instruction)
    fail("threads of warp " + std::to_string(me / 32) + " meet at " + warp.name + " and at " + name);
  warp.lanes[size_t(me % 32)] = mine;
  if (++warp.arrived == 32) {
    instruction(*this, warp.lanes);
    warp.arrived = 0;
    std::fill_n(states.begin() + me / 32 * 32, 32, State::Ready);
    return warp.lanes[size_t(me % 32)];
  }
  states[size_t(me)] = State::Meeting;
  checkMeeting(me / 32);
  leave();
  return warp.lanes[size_t(me % 32)];
}

void Block::barrier() {
  states[size_t(running)] = State::Barrier;
  checkMeeting(running / 32);
  leave();
}

std::string Block::name() const {
  std::string text = "block " + std::to_string(at[0]);
  if (at[1] || at[2])
    text += "," + std::to_string(at[1]) + "," + std::to_string(at[2]);
  return text + ": ";
}

std::string Block::run(Entry function, void *given, const std::array<int, 3> &place) {
  entry = function;
  arguments = given;
  at = place;
  error.clear();
  memory.reset();
  active = this;
  for (Warp &warp : warps)
    warp.arrived = 0;
  for (Fiber &fiber : fibers)
    fiber.prepare(start, nullptr);
  std::fill(states.begin(), states.end(), State::Ready);
  while (error.empty()) {
    for (size_t warp = 0; warp < warps.size() && error.empty(); warp++) {
      running = int(32 * warp);
      if (states[size_t(running)] == State::Ready)
        Fiber::change(host, fibers[size_t(running)]);
    }
    if (!error.empty())
      break;
    const auto done = std::count(states.begin(), states.end(), State::Done);
    if (size_t(done) == states.size())
      return memory.end();
    if (done) {
      error = name() + "some threads end, others wait at a barrier";
      break;
    }
    memory.barrier();
    counts.barriers++;
    std::fill(states.begin(), states.end(), State::Ready);
  }
  return error;
}

} // namespace segc::emulate

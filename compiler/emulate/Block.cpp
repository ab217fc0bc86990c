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
    : fibers(size_t(threads)), states(size_t(threads)), products(size_t(threads) / 128),
      memory(sharedBytes, threads), globalMemory(global) {
  for (int first = 0; first < threads; first += 32)
    warps.push_back({"warp", first, std::vector<Lane>(32)});
  for (int first = 0; first + 128 <= threads; first += 128)
    groups.push_back({"warpgroup", first, std::vector<Lane>(128)});
}

void Block::start(void *) {
  Block &block = current();
  block.entry(block.arguments);
  block.states[size_t(block.running)] = State::Done;
  block.checkMeetings(block.running);
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

/// Lanes wait for each other in vain if none of their team still runs.
void Block::checkMeeting(const Team &team) {
  const auto begin = states.begin() + team.first;
  const int size = int(team.lanes.size());
  if (team.arrived && std::none_of(begin, begin + size, [](State s) { return s == State::Ready; }))
    fail(std::string("some threads of ") + team.kind + " " + std::to_string(team.first / size) + " wait at " +
         team.name + ", which others do not reach");
}

void Block::checkMeetings(int thread) {
  checkMeeting(warps[size_t(thread / 32)]);
  if (size_t(thread / 128) < groups.size())
    checkMeeting(groups[size_t(thread / 128)]);
}

Block::Lane &Block::meetIn(Team &team, const char *name, Collective instruction, const Lane &mine) {
  const int me = running;
  const size_t size = team.lanes.size(), place = size_t(me - team.first);
  if (team.arrived == 0)
    team.name = name, team.instruction = instruction;
  else if (team.instruction != instruction)
    fail(std::string("threads of ") + team.kind + " " + std::to_string(size_t(team.first) / size) +
         " meet at " + team.name + " and at " + name);
  team.lanes[place] = mine;
  if (size_t(++team.arrived) == size) {
    instruction(*this, team.lanes.data());
    team.arrived = 0;
    std::fill_n(states.begin() + team.first, size, State::Ready);
    return team.lanes[place];
  }
  states[size_t(me)] = State::Meeting;
  checkMeetings(me);
  leave();
  return team.lanes[place];
}

Block::Lane &Block::meetGroup(const char *name, Collective instruction, const Lane &mine) {
  if (size_t(running / 128) >= groups.size())
    fail(std::string(name) + " needs a warpgroup, four whole warps");
  return meetIn(groups[size_t(running / 128)], name, instruction, mine);
}

void Block::barrier() {
  states[size_t(running)] = State::Barrier;
  checkMeetings(running);
  leave();
}

/// What a block may not leave under way.
std::string Block::end() const {
  for (const Warpgroup &one : products)
    if (one.isBusy())
      return name() + "a warpgroup ends with products under way";
  return memory.end();
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
  for (std::vector<Team> *teams : {&warps, &groups})
    for (Team &team : *teams)
      team.arrived = 0;
  products.assign(products.size(), Warpgroup());
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
    if (std::count(states.begin(), states.end(), State::Ready))
      continue; // a warpgroup has met: its other warps go on
    const auto done = std::count(states.begin(), states.end(), State::Done);
    if (size_t(done) == states.size())
      return end();
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
